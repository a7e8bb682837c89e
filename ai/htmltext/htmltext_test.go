package htmltext

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// strip cuts the HTML at the given places.
func strip(text string, cuts ...int) string {
	var s Stripper
	var read strings.Builder
	from := 0
	for _, cut := range append(cuts, len(text)) {
		read.WriteString(s.Strip(text[from:cut]))
		from = cut
	}
	read.WriteString(s.End())
	return read.String()
}

func TestReadableText(t *testing.T) {
	for _, test := range []struct{ html, want string }{
		{"", ""},
		{"plain", "plain"},
		{"<p>one</p><p>two</p>", "one\ntwo"},
		{"<p>one</p>\n  <p>two</p>\n", "one\ntwo"},
		{"a<br>b<br/>c<br><br><br>d", "a\nb\nc\n\nd"},
		{"<h2>Title</h2>text<ul><li>a</li><li>b</li></ul>end", "Title\ntext\na\nb\nend"},
		{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
		{"<b>B</b>old <i> and\n\t slanted</i>", "Bold and slanted"},
		{`<a href="https://x.example/?a>b" title='>'>link</a>`, "link"},
		{`<a title = "x>y" href=x"y>link</a>`, "link"},
		{`<P CLASS=x>Up</P>`, "Up"},
		{"Fish &amp; chips &lt;b&gt; &#8364;5 &#x1F389; &eacute; &nope; &", "Fish & chips <b> €5 🎉 é &nope; &"},
		{"AT&T &amp", "AT&T &"},
		{"R&D;x &CounterClockwiseContourIntegral; &" + strings.Repeat("a", 50), "R&D;x ∳ &" + strings.Repeat("a", 50)},
		{"3 < 5 and 5 > 3, <3 <", "3 < 5 and 5 > 3, <3 <"},
		{"x </", "x </"},
		{"a<!-- <b>no</b> -- > -->b<!-->c<!--->d<!--x--!>e<!-- never closed <p>f", "abcde"},
		{"a<!doctype html><?php x ?></ y>b<![CDATA[x]]>c", "abc"},
		{"a<script>if (a < b) '</p></scripty>'</SCRIPT >b<style>p{}</style>c<script src=x></script/x>d", "abcd"},
		{"a<iframe><b>no</b></iframe><object>no</object><noscript>no</noscript>b", "ab"},
		{"a<script>never closed", "a"},
		{"a<p title=never closed", "a"},
		{"a<verylongelementname-that-nobody-knows>b", "ab"},
		{"日本<b>語</b>", "日本語"},
		{"<p>&nbsp;</p>x", "\u00A0\nx"},
	} {
		if got := strip(test.html); got != test.want {
			t.Errorf("%q reads %q, want %q", test.html, got, test.want)
		}
		for cut := range len(test.html) {
			if got := strip(test.html, cut); got != test.want {
				t.Errorf("%q cut at %d reads %q, want %q", test.html, cut, got, test.want)
			}
		}
	}
}

// pieces of which the worst HTML is made; none begins an element whose content
// is left out, except script and style, which the reference knows too.
var pieces = strings.Split("<p>|</p>|<br>|<b|</b|<a href=|<a title = |\"|'|>|<|</|/|=| |\n|x|word|é|日|🎉|&amp;|&|&#|38;|#x26|;|&lt|<!--|-->|--!>|-|!|<!|<!doctype|?|<?|"+
	"<script>|</script|</script>|<style|</style>|</scriptx>|<td>|<li>|3 < 5|\t|\r\n|S|<P|&notit;|&NotEqualTilde;|\x00|\xff", "|")

func soup(random *rand.Rand) string {
	var text strings.Builder
	for range random.IntN(40) {
		text.WriteString(pieces[random.IntN(len(pieces))])
	}
	return text.String()
}

// TestTextIsWhatABrowserShows compares with golang.org/x/net/html, white space
// aside, and scripts in comments in scripts, which have rules of their own.
func TestTextIsWhatABrowserShows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		text := soup(random)
		if strings.Contains(text, "<script") {
			text = strings.ReplaceAll(text, "<!--", "")
		}
		if got, want := squeeze(strip(text)), squeeze(reference(text)); got != want {
			t.Fatalf("%q reads %q, want %q", text, got, want)
		}
	}
}

func squeeze(text string) string { return strings.Join(strings.FieldsFunc(text, isSpaceRune), "") }

func isSpaceRune(r rune) bool { return r < 0x80 && isSpace(byte(r)) }

func reference(text string) string {
	tokens := html.NewTokenizer(strings.NewReader(text))
	var read strings.Builder
	raw := false
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return read.String()
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := tokens.TagName()
			raw = string(name) == "script" || string(name) == "style"
		case html.EndTagToken:
			raw = false
		case html.TextToken:
			if !raw {
				read.Write(tokens.Text())
			}
		}
	}
}

func TestCutsDoNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		text := soup(random)
		checkCuts(t, text, random)
	}
}

func checkCuts(t *testing.T, text string, random *rand.Rand) {
	t.Helper()
	var cuts []int
	for i := range len(text) {
		if random.IntN(3) == 0 {
			cuts = append(cuts, i)
		}
	}
	if whole, got := strip(text), strip(text, cuts...); got != whole {
		t.Fatalf("%q cut at %v reads %q, whole it reads %q", text, cuts, got, whole)
	}
}

func FuzzStripper(f *testing.F) {
	f.Add("<p title='>'>a &amp; b<!-- c --><script>d</script>", uint64(1))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		checkCuts(t, text, rand.New(rand.NewPCG(seed, seed)))
	})
}

// TestTextComesEarly holds back nothing that is certain.
func TestTextComesEarly(t *testing.T) {
	var s Stripper
	for _, step := range []struct{ piece, want string }{
		{"<p>Hel", "Hel"}, {"lo", "lo"}, {" wor", " wor"}, {"ld &am", "ld"}, {"p;", " &"}, {" x</", " x"}, {"p><p>y", "\ny"},
	} {
		if got := s.Strip(step.piece); got != step.want {
			t.Errorf("after %q: %q, want %q", step.piece, got, step.want)
		}
	}
}

// TestMemoryIsBounded feeds what never ends.
func TestMemoryIsBounded(t *testing.T) {
	for _, begin := range []string{"<", "<p ", "<p x='", "<!--", "<script>", "&", "</"} {
		var s Stripper
		s.Strip(begin)
		block := strings.Repeat("a", 1000)
		for range 1000 {
			s.Strip(block)
		}
		if held := cap(s.entity) + cap(s.name); held > 200 {
			t.Errorf("after 1 MB behind %q it holds %d bytes", begin, held)
		}
	}
}
