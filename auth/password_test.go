package auth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/auth"
)

func TestCheckPasswordTakes(t *testing.T) {
	for _, password := range []string{
		"Correct-Horse-7-Battery", "correct Horse battery staple 9", "Str0ng!Passw0rd", "kQ7#mv2$Xp", "7294!Xa83#1k",
		"Tr0ub4dor&3", "aB3$xY9!", "Zoë isst 3 Äpfel", "My dog eats 2 socks.", "Ünder9-Brücke", "ÄÖÜäöü1!", "пРивет-мир7",
		"My-Password-Is-Odd-4", "Summer-in-Siberia-44", "Ada loves 3 engines!", "Password hash: 2 rounds", "C0de!Bl0om",
		"AAAAbbbb1234!!zq", "Ab1!" + strings.Repeat("語", 96), "٣Abcqdxy!", "Aa1!🎺🥁🎷🎸", "Wx1! " + strings.Repeat("yz", 47),
	} {
		if err := (auth.Accounts{}).CheckPassword(password, "Ada Lovelace", "ada.byron@example.com"); err != nil {
			t.Errorf("%s: %v", password, err)
		}
	}
}

func TestCheckPasswordRules(t *testing.T) {
	const (
		short, long = "must have at least 8 characters", "must have at most 100 characters"
		upper       = "must contain an upper-case letter"
		lower       = "must contain a lower-case letter"
		digit       = "must contain a digit"
		sign        = "must contain a sign, such as ! or -"
		few         = "must not repeat the same few characters"
		control     = "must not contain control characters or invisible ones"
	)
	for password, want := range map[string][]string{
		"":                                   {short, upper, lower, digit, sign, few},
		"kQ7#mv2":                            {short},
		"Äö7#mv2":                            {short}, // 7 characters of 9 bytes
		"kq7#mv2$xp":                         {upper},
		"KQ7#MV2$XP":                         {lower},
		"kQ#mvu$Xp":                          {digit},
		"kQ7hmv2wXp":                         {sign},
		"kqhmvwxp":                           {upper, digit, sign},
		"kQ7#mv2$\x00":                       {control},
		"kQ7#mv2$\n":                         {control},
		"kQ7#mv2$\u200b":                     {control},
		"Ab1!" + strings.Repeat("語x", 49):    {long},
		"Ab1!" + strings.Repeat("x", 10_000): {long},
		// 104 code points that compose to 100 characters and 101.
		"Ab1!" + strings.Repeat("e\u0301", 4) + strings.Repeat("xyzuvw", 15) + "st":  nil,
		"Ab1!" + strings.Repeat("e\u0301", 4) + strings.Repeat("xyzuvw", 15) + "stq": {long},
	} {
		if diff := cmp.Diff(want, messages(t, auth.Accounts{}.CheckPassword(password, "", ""))); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", password, diff)
		}
	}
}

// messages returns the field errors of a refusal, all of them for the password.
func messages(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var refused *fanfare.Error
	if !errors.As(err, &refused) || refused.Code != fanfare.CodeInvalidRequest {
		t.Fatalf("got %v, want an invalid_request", err)
	}
	var all []string
	for _, field := range refused.Fields {
		if field.Field != "password" {
			t.Errorf("field %q, want password", field.Field)
		}
		all = append(all, field.Message)
	}
	return all
}

func TestCheckPasswordRefusesWhatIsGuessedFirst(t *testing.T) {
	const (
		common = "is a common password with digits or signs around it; choose several words instead"
		own    = "must not be your name or e-mail address with digits or signs around it"
		row    = "must not be a row of the alphabet or the keyboard with digits or signs around it"
		few    = "must not repeat the same few characters"
	)
	for want, passwords := range map[string][]string{
		common: {
			"Password123!", "P@ssw0rd1", "p@$$W0RD99", "PASSw0rd!!", "!!Password2024", "$ecretS1", "$Ecret12!", "Letmein1!", "Let.Me.In1!",
			"Welcome2024!", "Summer2025!", "1Q2w3e4r!", "Qwerty123!", "Qw3rty123!", "Ｐassword123!", "Admin123!", "Fanfare2026!",
			"Iloveyou1!", "I-love-you-1", "Monkey1234567890!", "#1Dragon#1", "Trustno1!", "Aa123456!", "P4$$w0rd.1", "Abc123456!", "Passwort1!",
		},
		own: {
			"Lovelace1815!", "AdaLovelace1!", "Ada.Lovelace.1", "Ada.Byron12!", "adaByron-42", "L0velace#42", "Byron-1815!",
		},
		row: {"Abcdefg1!", "Zyxwvut9!", "Sdfghjk1!", "Poiuytr77!", "Lkjhgfd1#", "!Uiop1234!"},
		few: {"Aaaaaa1!", "Abababab1!", "Aa1!Aa1!Aa1!", "AAAAaaaa11!!"},
	} {
		for _, password := range passwords {
			got := messages(t, auth.Accounts{}.CheckPassword(password, "Ada Lovelace", "ada.byron+fan@example.com"))
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q, want %q", password, got, want)
			}
		}
	}
}

func TestRefusalDoesNotQuoteThePassword(t *testing.T) {
	if err := (auth.Accounts{}).CheckPassword("canary", "", ""); strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}
