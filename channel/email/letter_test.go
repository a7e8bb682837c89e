package email

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func outgoing(body string) fanfare.Outgoing {
	return fanfare.Outgoing{Content: fanfare.Content{Email: &fanfare.EmailContent{
		Subject: "Hello", Preview: "See <this> & that", Body: body,
	}}}
}

func TestNothingActsInALetter(t *testing.T) {
	for _, body := range []string{
		`<p>ok<script>canary()</script></p>`, `<p onclick="canary()">ok</p>`, `<a href="javascript:canary()">ok</a>`,
		`<a href=" java&#10;script:canary()">ok</a>`, `<a href="data:text/html,canary">ok</a>`, `<a href="//canary.example">ok</a>`,
		`<a href="/canary">ok</a>`, `<img src="https://canary.example/p.gif">ok`, `<picture><source srcset="https://canary.example/p">ok</picture>`,
		`<p style="background:url(https://canary.example)">ok</p>`, `<style>@import "https://canary.example"</style>ok`,
		`<link rel="stylesheet" href="https://canary.example">ok`, `<base href="https://canary.example">ok`,
		`<meta http-equiv="refresh" content="0;url=https://canary.example">ok`, `<iframe src="https://canary.example"></iframe>ok`,
		`<object data="https://canary.example"></object>ok`, `<embed src="https://canary.example">ok`,
		`<form action="https://canary.example"><input name="canary">ok<button formaction="//canary">ok</button></form>`,
		`<video src="https://canary.example" autoplay>ok</video>`, `<svg onload="canary()"><script>canary()</script></svg>ok`,
		`<math><mtext><table><mglyph><style><img src=x onerror="canary()"></style></mglyph></table></mtext></math>ok`,
		`<noscript><p title="</noscript><img src=x onerror=canary()>"></noscript>ok`, `<!-- canary -->ok`, `<table background="https://canary.example"><tr><td>ok</td></tr></table>`,
	} {
		letter, err := Compose(outgoing(body), Footer{})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(letter.HTML, "canary") || !strings.Contains(letter.HTML, "ok") || strings.Contains(letter.HTML, "<img") {
			t.Errorf("%s became %s", body, letter.HTML)
		}
	}
}

func TestBodyStaysInItsPlace(t *testing.T) {
	for _, body := range []string{
		"<p>ok</div></div></body></html>", "<table><tr><td>ok", "<ul><li>ok", "<h1>ok", "ok</p>", "<a href='https://x.example'>ok", "<!-- ok", "<b ok='",
	} {
		letter, err := Compose(outgoing(body), Footer{Unsubscribe: "https://u.example/?a=1&b=2"})
		if err != nil {
			t.Fatal(err)
		}
		before, footer, found := strings.Cut(letter.HTML, "\n<hr>")
		want := `<p style="font-size:small"><a href="https://u.example/?a=1&amp;b=2">Unsubscribe</a></p>` + "\n</div>\n</body></html>\n"
		if diff := cmp.Diff(want, footer); !found || diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
		for _, tag := range []string{"div", "table", "ul", "h1", "a", "td"} {
			if strings.Count(before, "<"+tag)-strings.Count(before, "</"+tag+">") != map[string]int{"div": 1}[tag] {
				t.Errorf("%s leaves <%s> open: %s", body, tag, before)
			}
		}
	}
}

func TestLetter(t *testing.T) {
	m := outgoing("<p>One</p>")
	m.Content.Email.Subject = "Hello\r\nBcc: x@x.example\x00\u2028\xff you"
	m.Test = true
	letter, err := Compose(m, Footer{Unsubscribe: "https://u.example", Sender: "A & B"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[Test] Hello Bcc: x@x.example \uFFFD you", letter.Subject); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("One\n\n--\nA & B\nUnsubscribe: https://u.example\n", letter.Text); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"See &lt;this&gt; &amp; that</div>", "A &amp; B<br>"} {
		if !strings.Contains(letter.HTML, part) {
			t.Errorf("no %q in %s", part, letter.HTML)
		}
	}
	if _, err := Compose(fanfare.Outgoing{}, Footer{}); err == nil {
		t.Error("a letter was made of nothing")
	}
	m.Content.Email.Subject = strings.Repeat("long ", 41)
	if _, err := Compose(m, Footer{}); err == nil {
		t.Error("a subject may be as long as it likes")
	}
	if _, err := Compose(outgoing(strings.Repeat("<b><i>", 1000)), Footer{}); err == nil {
		t.Error("tags may be as deep as they like")
	}
}

func TestText(t *testing.T) {
	for body, want := range map[string]string{
		"":                                       "",
		"plain  \n text":                         "plain text",
		"<p>One</p><p>Two</p>":                   "One\n\nTwo",
		"<h1>Title</h1>\n  <p>One<br>two</p>\n ": "Title\n\nOne\ntwo",
		"a<br><br><br>b":                         "a\n\nb",
		"<b>bo</b>ld <i> it</i>alic":             "bold italic",
		"3 &lt; 5 &amp; 6":                       "3 < 5 & 6",
		"<ul><li>One</li> <li><p>Two</p></li><li></li></ul>End":  "- One\n- Two\n\nEnd",
		"<p>x</p><ol><li>One</li><li>Two</li></ol>":              "x\n\n1. One\n2. Two",
		`See <a href="https://a.example/?x=1&amp;y=2">this</a>.`: "See this (https://a.example/?x=1&y=2).",
		`<a href="https://a.example">https://a.example</a>!`:     "https://a.example!",
		`<a href="mailto:a@b.example">a@b.example</a>`:           "a@b.example",
		`<a>nowhere</a>`: "nowhere",
		"<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>": "A B\n1 2",
		"<blockquote>Quoted</blockquote><hr>after":                                  "Quoted\n\n---\n\nafter",
		"a\u00a0b": "a\u00a0b",
	} {
		got, err := Text(body)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", body, err, diff)
		}
	}
}
