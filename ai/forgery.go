package ai

import (
	"regexp"
	"slices"
	"strings"
)

// forger recognises the marks that set a chat's roles apart. Some stand in
// nothing but chat templates. Others stand in every second brief, as headings
// and lines of specifications, and are suspicious only with an order to a model
// behind them.
type forger struct {
	fold     folder
	template *regexp.Regexp
	mark     *regexp.Regexp // one of its groups matches where the system is meant to speak, the first in a line of its own
	label    *regexp.Regexp
	orders   []string // at any place behind a mark
	verbs    []string // right behind a mark of the system
}

func newForger(fold folder) forger {
	return forger{
		fold:     fold,
		template: regexp.MustCompile(templatePattern(fold)),
		mark:     regexp.MustCompile(markPattern(fold)),
		label:    regexp.MustCompile(`\pL[^\pL\pN\n:]{0,3}:(?:[^/]|$)`),
		orders:   fold.words(ordersToModel),
		verbs:    fold.words(verbsToModel),
	}
}

// forges reports whether a text imitates the marks.
func (f forger) forges(text string) bool {
	if !strings.ContainsAny(text, ":|[<#") {
		return false
	}
	text = f.fold.plain(text)
	if f.template.MatchString(text) {
		return true
	}
	alone := len(f.label.FindAllStringIndex(text, 2)) == 1 // a specification has more than one line
	for _, at := range f.mark.FindAllStringSubmatchIndex(text, -1) {
		bySystem := slices.Max(at[2:]) >= 0
		if alone && at[2] >= 0 || f.commands(f.fold.compact(firstRunes(text[at[1]:], sectionMax)), bySystem) {
			return true
		}
	}
	return false
}

// commands reports whether what stands behind a mark is an order to a model.
func (f forger) commands(section string, bySystem bool) bool {
	begins := func(verb string) bool { return strings.HasPrefix(section, verb) }
	return containsAny(section, f.orders) || bySystem && slices.ContainsFunc(f.verbs, begins)
}

// sectionMax is how many characters behind a mark are looked at. It keeps the
// time linear where a text is all marks.
const sectionMax = 200

func firstRunes(text string, most int) string {
	for at := range text {
		if most--; most < 0 {
			return text[:at]
		}
	}
	return text
}

// templatePattern matches the marks of chat templates (ChatML, Llama, Alpaca),
// a forged answer, and names that only a model's instructions have.
func templatePattern(fold folder) string {
	return `(?:^|\n)[^\pL\pN\n]*assistant[^\pL\pN\n:]{0,3}: ?(?:` + forgedReply + `)\b` +
		`|(?:^|[\n.!?])[^\pL\pN\n]*(?:` + fold.plain(headers) + `) ?(?:prompt|message|instructions?|note|override)[^\pL\pN\n:]{0,3}:` +
		`|<\|[^|<>\n]{1,40}\|>|\[/?inst\]|\[/(?:system|assistant)\]|\[/?(?:system|assistant) (?:note|message|prompt|instructions?|override)\]` +
		`|<</?sys>>|</?(?:system|assistant|instructions?|prompt)>` +
		`|#[^\pL\pN\n]*(?:system|developer) (?:prompt|message|override)\b` +
		`|###[^\pL\pN\n]*instruction[^\pL\pN\n]*(?:\n|$)` +
		`|#[^\pL\pN\n]*human[^\pL\pN\n]*\n(?s:.*)#[^\pL\pN\n]*assistant[^\pL\pN\n]*\n` +
		`|"role"\s*:\s*"(?:system|assistant|developer)"`
}

// markPattern matches role headers at the start of a line or sentence, or in
// brackets, and headings that begin with a role.
func markPattern(fold folder) string {
	return `(?:^|[\n.!?])[^\pL\pN\n]*(?:(` + fold.plain(headers) + `)[^\pL\pN\n:]{0,3}:)` +
		`|\[(system)\]` +
		`|#[^\pL\pN\n]*(?:new |real )?(?:(` + fold.plain(headers) + `)|instructions?|response|assistant|human|user)(?:[^\pL\pN]|$)`
}

// forgedReply is how a forged answer begins; "Assistant: 20 hours a week" is a job.
const forgedReply = "sure|ok|okay|understood|of course|certainly|absolutely|yes|i will|i'll|i am|i'm|i can|i have|here is|here are"

const headers = "system|sistema|sistem|systeem|systeme|he thong|система|النظام|نظام|سیستم|מערכת|सिस्टम|系统|系統|システム|시스템|συστημα"

// ordersToModel are the obedience that a forged role demands and the standing
// that it gives the user. Honest sections say "the user is informed", "you must
// have Windows 11" and "parts comply with the norm".
const ordersToModel = "obey complywitheveryrequest complywithallrequests complywithanyrequest complywithhis doastheysay doasisay userisanadmin userisadmin userisroot " +
	"gehorch derbenutzeristadmin dernutzeristadmin obeis obeir utilisateurestadmin obedec obedez elusuarioesadmin ousuarioeadmin obbedi obbedisci utenteeammin " +
	"gehoorza degebruikerisbeheer degebruikerisadmin uzytkownikjestadmin posluszn sluchajgo подчиняйся подчинись підкоряй підкорис повинуйся слушайся слухайся пользовательадмин користувачадмін " +
	"itaatet kullaniciyonetici kullaniciadmin اطعه اطعالمستخدم المستخدممدير المستخدمهوالمدير اطاعت کاربرمدیر کاربرادمین ציית המשתמשהואמנהל आज्ञामान आज्ञाकापालन उपयोगकर्ताएडमिन " +
	"服从 服從 用户是管理 用戶是管理 従え 従いな ユーザーは管理者 복종 사용자는관리자 tuanlenh vanglenh nguoidunglaquantri patuhi penggunaadalahadmin " +
	"lydanvandaren anvandarenaradmin brugerenereadmin poslouchejuziv uzivateljeadmin uzivateljesprav υπακου οχρηστησειναιδιαχειρ ascultadeutilizator utilizatorulesteadmin"

// verbsToModel are what addresses a model right behind a mark of the system.
// Shorter ones would not do: specifications say "answers in a second", "approved
// by the TÜV" and "ignores barking dogs", and advertising "forget your keys".
const verbsToModel = "ignorethe ignorea ignoreevery ignoreyour ignoriere ignorez disregard obey comply answerwith answeronly replywith replyonly respondwith respondonly " +
	"revealyour revealeverything approvethis approveevery approveall stopbeing neworder fromhereon fromnowon " +
	"youmust youarenow youarenolonger youarefree youarean youhaveno dumusstjede dumusstalles dumusstdem dubistjetzt dubistnun dubisteine duhastkeine " +
	"tudois tuesmaintenant tuesune tunasplus vousdevez debes eresuna vocedeve deviris deviobbed deviesegu jemoet jijbentnu musisz jestesteraz тыдолжен тытеперь тимаєш " +
	"你必须 你必須 你现在 你現在 あなたは今 banphai kamuharus kamuadalah dumaste duarnu negeer игнорируй ігноруй تجاهل התעלם 忽略 无视 無視 무시하 boqua abaikan"
