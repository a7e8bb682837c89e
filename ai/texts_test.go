package ai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/ai/htmltext"
)

// ear is a sink that keeps what it hears since the last restart.
type ear struct {
	mu       sync.Mutex
	restarts int
	channel  fanfare.Channel
	sums     map[string]string
	log      []string // "restart", or a field with its sum so far
	onAppend func()
}

func (e *ear) Restart(channel fanfare.Channel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.restarts++
	e.channel, e.sums, e.log = channel, map[string]string{}, append(e.log, "restart")
}

func (e *ear) Append(channel fanfare.Channel, field, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if channel != e.channel || text == "" {
		panic(fmt.Sprintf("%q for %s, which was not restarted", text, channel))
	}
	e.sums[field] += text
	e.log = append(e.log, field+": "+e.sums[field])
	if e.onAppend != nil {
		e.onAppend()
	}
}

func (e *ear) sum(field string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sums[field]
}

// TestTextsReadAsTheContent compares what was heard with the content that came
// of it: the texts as they are, lists by lines, HTML without its markup.
func TestTextsReadAsTheContent(t *testing.T) {
	letter := `<h1>Hi &amp; hello</h1><!-- no --><p onclick="a>b">Sale at 3 &lt; 5<br>now <a href="https://x.example/?a=1&b=2">here</a></p>` +
		"<script>if (a<b) {}</script><ul>\n<li>é</li>\n<li>🎉</li></ul>" + body(200)
	for channel, answer := range map[fanfare.Channel]string{
		fanfare.Email:  email("Hello \"you\" \\ 🎉", "Straße", letter),
		fanfare.Social: `{"hashtags":["one","#two"," ##three ","vier\u00e9"],"post":"Hi!\n\ud83c\udf89 3 < 5"}`,
		fanfare.PPC:    `{"headlines":["a","b c","d"],"descriptions":["e","f"]}`,
		fanfare.SMS:    "Here you are:\n```json\n" + goodSMS + "\n```",
	} {
		t.Run(string(channel), func(t *testing.T) {
			for _, size := range []int{1, 2, 5, 1 << 20} {
				stream := deltas(answer, size) + event("{}", `"stop"`)
				var sink ear
				content, _, err := newServer(t, always(stream)).writer().WriteContent(t.Context(), channel, sneakers, fanfare.Intent{}, &sink)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(readable(t, content), sink.sums); diff != "" {
					t.Errorf("%d characters at a time (-content +heard):\n%s", size, diff)
				}
				if sink.log[0] != "restart" || sink.restarts != 1 || sink.channel != channel {
					t.Errorf("heard %q", sink.log)
				}
			}
		})
	}
}

// readable are the fields of a content as people read them.
func readable(t *testing.T, content fanfare.ChannelContent) map[string]string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for name, value := range fields {
		switch v := value.(type) {
		case string:
			sums[name] = v
		case []any:
			for i, entry := range v {
				sums[name] += strings.Repeat("\n", min(i, 1)) + entry.(string)
			}
		}
	}
	if html, ok := sums["body"]; ok {
		var s htmltext.Stripper
		sums["body"] = s.Strip(html) + s.End()
	}
	return sums
}

// TestTextsAreHeardWhileTheyAreWritten has the server wait for the listener.
func TestTextsAreHeardWhileTheyAreWritten(t *testing.T) {
	heard := make(chan struct{}, 100)
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		for _, piece := range []string{`{"text":"Vegan`, ` sneakers`, `, 20% off"`} {
			always(deltas(piece, 100))(w, r)
			select {
			case <-heard:
			case <-r.Context().Done():
				return
			}
		}
		always(deltas("}", 1)+event("{}", `"stop"`))(w, r)
	})
	sink := &ear{onAppend: func() { heard <- struct{}{} }}
	if _, _, err := writeSMS(t, s.writer(), sink); err != nil {
		t.Fatal(err)
	}
	want := []string{"restart", "text: Vegan", "text: Vegan sneakers", "text: Vegan sneakers, 20% off"}
	if diff := cmp.Diff(want, sink.log); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func TestEveryRequestRestartsTheTexts(t *testing.T) {
	bad := `{"text":"no","extra":"no","texts":["no"],"n":{"text":"no"}}`
	s := newServer(t, fails(400, "", "json_schema"), fails(422, "", "stream_options"), always(whole(bad)), says(bad), always(whole(goodSMS)))
	var sink ear
	if _, _, err := writeSMS(t, s.writer(), &sink); err != nil {
		t.Fatal(err)
	}
	want := []string{"restart", "restart", "restart", "text: no", "restart", "text: no", "restart", "text: Veg"}
	if diff := cmp.Diff(want, sink.log[:len(want)]); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
	if sink.restarts != 5 || sink.sum("text") != "Vegan sneakers, 20% off until Sunday." || len(sink.sums) != 1 {
		t.Errorf("after %d restarts %q", sink.restarts, sink.sums)
	}
}

// TestMarkupIsNotHeard has a model write it where it must not, cut anywhere.
func TestMarkupIsNotHeard(t *testing.T) {
	for _, test := range []struct {
		channel fanfare.Channel
		answer  string
		want    map[string]string
	}{
		{fanfare.Social, `{"post":"<b>Big</b> \n sale &amp; CTR < 5, <\u0062 class='x>y'>now</b\u003e <3","hashtags":["<i>one</i>","< b>two","a<"]}`,
			map[string]string{"post": "Big \n sale &amp; CTR < 5, now <3", "hashtags": "#one\n#two\n#a<"}},
		{fanfare.PPC, `{"headlines":["<b>a</b>","b <","c<b"],"descriptions":["<!-- no -->d","<\u0000b>e"]}`,
			map[string]string{"headlines": "a\nb <\nc<b", "descriptions": "d\ne"}},
		{fanfare.SMS, `{"text":"<scr<b></b>ipt>x</script>"}`, map[string]string{"text": "< script>x"}},
		{fanfare.Email, email("<h1>Hi</h1>", "a<br/>b", "<p>a\rb</p>"), map[string]string{"subject": "Hi", "preview": "ab", "body": "a b"}},
	} {
		for cut := range len(test.answer) {
			var sink ear
			heard := newTexts(&sink, test.channel)
			heard.restart()
			heard.hear(test.answer[:cut])
			heard.hear(test.answer[cut:])
			heard.end()
			if diff := cmp.Diff(test.want, sink.sums); diff != "" {
				t.Fatalf("%s cut at %d (-want +heard):\n%s", test.answer, cut, diff)
			}
		}
		var sink ear
		s := newServer(t, always(whole(test.answer)))
		_, _, err := s.writer().WriteContent(t.Context(), test.channel, sneakers, fanfare.Intent{}, &sink)
		if diff := cmp.Diff(test.want, sink.sums); diff != "" || fanfare.ErrorCode(err) != fanfare.CodeAIInvalidOutput {
			t.Errorf("error %v, want %s (-want +heard):\n%s", err, fanfare.CodeAIInvalidOutput, diff)
		}
	}
}

// TestRestartForgetsWhatIsHeld back of an answer that broke off.
func TestRestartForgetsWhatIsHeld(t *testing.T) {
	var sink ear
	heard := newTexts(&sink, fanfare.Social)
	for _, answer := range []string{`{"post":"a<b`, `{"post":">c"}`} {
		heard.restart()
		heard.hear(answer)
	}
	heard.end()
	if diff := cmp.Diff(map[string]string{"post": ">c"}, sink.sums); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// TestUncheckedTextsCannotAct: what is heard may be no content in the end.
func TestUncheckedTextsCannotAct(t *testing.T) {
	answer := email("a\x1b[31mb\u009bc\x00d\re\nf", "x", `<p>a&#27;[2Jb<script>alert(1)</script><img src=x onerror=alert(1)> c &am`)
	s := newServer(t, always(whole(answer)))
	var sink ear
	if _, _, err := s.writer().WriteContent(t.Context(), fanfare.Email, sneakers, fanfare.Intent{}, &sink); fanfare.ErrorCode(err) != fanfare.CodeAIInvalidOutput {
		t.Fatalf("error %v, want %s", err, fanfare.CodeAIInvalidOutput)
	}
	want := map[string]string{"subject": "a[31mbcde\nf", "preview": "x", "body": "a[2Jb c &am"}
	if diff := cmp.Diff(want, sink.sums); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// TestStreamedWordsKeepTheirDirection: what turns the direction of writing is
// left out of what is heard, however it is spelled.
func TestStreamedWordsKeepTheirDirection(t *testing.T) {
	for channel, answer := range map[fanfare.Channel]string{
		fanfare.SMS:   `{"text":"pay \u202egro.elpmaxe"}`,
		fanfare.Email: `{"body":"<p>pay &#x202E;gro.elpmaxe\u2066</p>"}`,
	} {
		sink := &ear{}
		heard := newTexts(sink, channel)
		heard.restart()
		heard.hear(answer)
		heard.end()
		if all := fmt.Sprint(sink.log); !strings.Contains(all, "gro.elpmaxe") || strings.ContainsFunc(all, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%s: heard %q", channel, all)
		}
	}
}
