package ai

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// untagged cuts the text at the given places.
func untagged(text string, cuts ...int) string {
	var u untagger
	var read strings.Builder
	from := 0
	for _, cut := range append(cuts, len(text)) {
		read.WriteString(u.strip(text[from:cut]))
		from = cut
	}
	read.WriteString(u.end())
	return read.String()
}

func TestUntagger(t *testing.T) {
	long := strings.Repeat("x", maxTag)
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"<b>B</b>old  &amp;\n\t<i class=\"x>y\" hidden >text</I>", "Bold  &amp;\n\ttext"},
		{"CTR < 5 and ROI > 3", "CTR < 5 and ROI > 3"},
		{"a<b and c>d, x <y> z, if i<b", "a<b and c>d, x <y> z, if i<b"},
		{"I <3 dogs </3 cats <!", "I <3 dogs </3 cats <!"},
		{`<a href='/x?a=1' onclick="go()">link</a><br/>now`, "linknow"},
		{`<a x=y/z="1>">b`, "b"},
		{"a<!-- hidden <b> -->b <!-- open", "ab <!-- open"},
		{"<!DOCTYPE html>Hi <!doct", "Hi <!doct"},
		{"<script>alert(1 < 2)</script>", "alert(1 < 2)"},
		{"<<b>b>", "< b>"},
		{"<scr<b></b>ipt>x", "< script>x"},
		{"<a x=1 <i>y=2>", "< a x=1 y=2>"},
		{"5 <<b>6</b> and < <b>7</b>", "5 < 6 and < 7"},
		{`<a x="<3 <b>y`, `< a x="< 3 y`},
		{`<a x="<3 <b y="q">">z`, `< a x="< 3 ">z`},
		{`<a x="` + long + `"><b>y`, `<a x="` + long + `">y`},
	} {
		if got := untagged(test.text); got != test.want {
			t.Errorf("%.80q reads %.80q, want %.80q", test.text, got, test.want)
		}
		for cut := range min(len(test.text), 100) {
			if got := untagged(test.text, cut); got != test.want {
				t.Errorf("%.80q cut at %d reads %.80q, want %.80q", test.text, cut, got, test.want)
			}
		}
	}
}

// tagSoup is of what the worst texts are made.
func tagSoup(random *rand.Rand) string {
	parts := strings.Split("<|<|<b|<b>|</b>|<scr|ipt>|<a |x=|y|=|\"|'|>|>|/| |\n|hidden|hid|<!--|-->|-|<!doctype|<!| 5|é|<x>|B", "|")
	var text strings.Builder
	for range random.IntN(16) {
		text.WriteString(parts[random.IntN(len(parts))])
	}
	return text.String()
}

// TestNoMarkupIsLeft, and nothing but markup is taken.
func TestNoMarkupIsLeft(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	marked := 0
	for range 5_000 {
		text := tagSoup(random)
		got := untagged(text)
		if hasMarkup(text) {
			marked++
		} else if got != text {
			t.Fatalf("%q is no markup, but reads %q", text, got)
		}
		if hasMarkup(got) {
			t.Fatalf("%q reads %q, which is markup", text, got)
		}
		var cuts []int
		for i := range len(text) {
			if random.IntN(3) == 0 {
				cuts = append(cuts, i)
			}
		}
		if cut := untagged(text, cuts...); cut != got {
			t.Fatalf("%q cut at %v reads %q, whole it reads %q", text, cuts, cut, got)
		}
	}
	if marked < 500 {
		t.Errorf("only %d texts held markup", marked)
	}
}

// TestPlainTextComesEarly holds back nothing that is certain.
func TestPlainTextComesEarly(t *testing.T) {
	var u untagger
	for _, step := range []struct{ piece, want string }{
		{"Hel", "Hel"}, {"lo <", "lo "}, {" 5", "< 5"}, {"<b", ""}, {"rat", "<brat"}, {" <b x", " "}, {" y", "<b x y"}, {"<i", ""}, {">z", "z"},
	} {
		if got := u.strip(step.piece); got != step.want {
			t.Errorf("after %q: %q, want %q", step.piece, got, step.want)
		}
	}
}

// TestHeldTextIsBounded feeds what never ends.
func TestHeldTextIsBounded(t *testing.T) {
	for _, begin := range []string{"<a x='", "<!--", "<!doctype", "<"} {
		var u untagger
		read := len(u.strip(begin))
		for range 100 {
			read += len(u.strip(strings.Repeat(begin[:1], 100)))
			if len(u.held) > 2*maxTag {
				t.Fatalf("behind %q it holds %d bytes", begin, len(u.held))
			}
		}
		if read += len(u.end()); read != len(begin)+10_000 {
			t.Errorf("behind %q %d bytes were read", begin, read)
		}
	}
}
