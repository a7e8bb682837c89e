package social

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestCompose(t *testing.T) {
	for name, test := range map[string]struct {
		post string
		tags []string
		want string
	}{
		"no hashtags":           {" Tea. ", nil, "Tea."},
		"written in three ways": {"Tea.", []string{"#a1", "b c", "##d-e!"}, "Tea.\n\n#a1 #bc #de"},
		"said already":          {"Our #Tea.", []string{"tea", "#more", "More"}, "Our #Tea.\n\n#more"},
		"part of another":       {"Our #Teatime.", []string{"tea"}, "Our #Teatime.\n\n#tea"},
		"no words":              {"Tea.", []string{"", "#", "123", "!", "4_5"}, "Tea."},
		"other scripts":         {"Tea.", []string{"Grün", "नमस्ते", "お茶"}, "Tea.\n\n#Grün #नमस्ते #お茶"},
		"what is not seen":      {"Te\u202ea\x00.", []string{"a\u200bb"}, "Tea.\n\n#ab"},
		"more than one line":    {"Tea.\n\nCake.", []string{"x"}, "Tea.\n\nCake.\n\n#x"},
	} {
		got, err := Compose(fanfare.Content{Social: &fanfare.SocialContent{Post: test.post, Hashtags: test.tags}})
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for _, c := range []fanfare.Content{{}, {Social: &fanfare.SocialContent{Post: " \n", Hashtags: []string{"x"}}}} {
		_, err := Compose(c)
		if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateRefused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestLinks(t *testing.T) {
	for text, want := range map[string][]string{
		"":                              nil,
		"see https://a.example.":        {"https://a.example"},
		"(http://a.example/b?c=d&e#f)!": {"http://a.example/b?c=d&e#f"},
		"https://a.example/b_(c), yes":  {"https://a.example/b_(c)"},
		"ö „https://a.example/ä“ https:/x http://":  {"https://a.example/ä"},
		"<https://a.example> \"https://b.example\"": {"https://a.example", "https://b.example"},
		"ftp://a.example javascript:x":              nil,
		"https://a.example/…":                       {"https://a.example/"},
	} {
		var got []string
		for _, span := range Links(text) {
			got = append(got, span.Value)
			if text[span.Start:span.End] != span.Value {
				t.Errorf("%q: %+v", text, span)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestHashtags(t *testing.T) {
	for text, want := range map[string][]string{
		"":                           nil,
		"#":                          nil,
		"#a":                         {"a"},
		"ö #Grün, #b_1.":             {"Grün", "b_1"},
		"no#tag ##no #1 #12_":        nil,
		"https://a.example/#b #c":    {"c"},
		"#a#b":                       {"a"},
		"(#x)":                       {"x"},
		"#नमस्ते":                    {"नमस्ते"},
		strings.Repeat("#", 100_000): nil,
	} {
		var got []string
		for _, span := range Hashtags(text) {
			got = append(got, span.Value)
			if text[span.Start:span.End] != "#"+span.Value {
				t.Errorf("%q: %+v", text, span)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.40q: %s", text, diff)
		}
	}
}

// A family is one character to who reads, and an accent is none.
func TestLength(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a\u0308": 1, "👨‍👩‍👧‍👦": 1, "🇩🇪": 1, "Tea\r\n": 4} {
		if got := Length(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
