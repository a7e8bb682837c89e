package streamjson

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	strict "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// read decodes a text that was cut at random, one byte at a time in the worst case.
func read(t *testing.T, text string, random *rand.Rand, fields ...string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	d := New(func(field, text string) {
		if text == "" || !utf8.ValidString(text) {
			t.Fatalf("a piece of %q is %q", field, text)
		}
		sums[field] += text
	}, fields...)
	for from := 0; from < len(text); {
		to := min(len(text), from+1+random.IntN(1+random.IntN(20)))
		d.Write([]byte(text[from:to]))
		from = to
	}
	return sums
}

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestFields(t *testing.T) {
	for _, test := range []struct {
		text string
		want map[string]string
	}{
		{`{"a":"x","b":["y","z"]}`, map[string]string{"a": "x", "b": "y\nz"}},
		{" \n{ \"a\" : \"x\" ,\t\"b\" : [ \"y\" , \"\" , \"z\" ] } ", map[string]string{"a": "x", "b": "y\n\nz"}},
		{"```json\n{\"a\":\"x\"}\n``` {\"a\":\"y\"}", map[string]string{"a": "x"}},
		{`Here {you} are {"note": 1} {} {{"a":"x"}`, map[string]string{"a": "x"}},
		{`{"a":"x"} and {"a":"y"}`, map[string]string{"a": "x"}},
		{`{"other":"x","A":"y","a":"z"}`, map[string]string{"a": "z"}},
		{`{"n":{"a":"x","m":[{"a":"]}"}]},"l":["a",["a"]],"a":"z"}`, map[string]string{"a": "z"}},
		{`{"a":["x",{"a":"no"},["no"],5,null,"y"],"b":"z"}`, map[string]string{"a": "x\ny", "b": "z"}},
		{`{"a":5,"b":null,"a":-1.5e3,"b":true,"a":"z"}`, map[string]string{"a": "z"}},
		{`{"\u0061":"x","` + strings.Repeat("long", 100) + `":"y"}`, map[string]string{"a": "x"}},
		{`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83c\udf89é🎉"}`, map[string]string{"a": "\"\\/\b\f\n\r\té🎉é🎉"}},
		{`{"a":"\ud800","b":"\udc00\ud800\u0041\ud800\n\ud800\ud83c\udf89"}`, map[string]string{"a": "\uFFFD", "b": "\uFFFD\uFFFDA\uFFFD\n\uFFFD🎉"}},
		{"{\"a\":\"x\xff\xe2\x82y\"}", map[string]string{"a": "x\uFFFD\uFFFD\uFFFDy"}},
		{`{"a":"x`, map[string]string{"a": "x"}},
		{`{"a":"x\`, map[string]string{"a": "x"}},
		{`{"a":"x\q","b":"y"}`, map[string]string{"a": "x"}},
		{`{"a":"x\u12g4","b":"y"}`, map[string]string{"a": "x"}},
		{`{"a":"x" "b":"y"}`, map[string]string{"a": "x"}},
		{`{"a" "x"}`, map[string]string{}},
		{`["a"]`, map[string]string{}},
		{`"a":"x"`, map[string]string{}},
		{``, map[string]string{}},
	} {
		for range 20 {
			if diff := cmp.Diff(test.want, read(t, test.text, newRandom(), "a", "b")); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", test.text, diff)
			}
		}
	}
}

// TestSumOfPiecesIsTheValue compares with encoding/json on random documents.
func TestSumOfPiecesIsTheValue(t *testing.T) {
	random := newRandom()
	for range 5_000 {
		text := document(random)
		var value map[string]any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got := read(t, "Sure! ```json\n"+text+"\n``` Bye.", random, names...)
		if diff := cmp.Diff(sums(value), got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	}
}

var names = []string{"subject", "body", "tägs", "e\"\\s"}

// sums says what the pieces of a decoded object add up to.
func sums(value map[string]any) map[string]string {
	sums := map[string]string{}
	for _, name := range names {
		text := ""
		switch v := value[name].(type) {
		case string:
			text = v
		case []any:
			var entries []string
			for _, entry := range v {
				if s, ok := entry.(string); ok {
					entries = append(entries, s)
				}
			}
			text = strings.Join(entries, "\n")
		}
		if text != "" {
			sums[name] = text
		}
	}
	return sums
}

func document(random *rand.Rand) string {
	var members []string
	for _, i := range random.Perm(len(names)) {
		if random.IntN(4) > 0 {
			members = append(members, literal(random, names[i])+gap(random)+":"+gap(random)+anyValue(random, 0))
		}
		if random.IntN(3) == 0 {
			members = append(members, literal(random, fmt.Sprint("other", i))+":"+anyValue(random, 0))
		}
	}
	return "{" + gap(random) + strings.Join(members, gap(random)+","+gap(random)) + gap(random) + "}"
}

func gap(random *rand.Rand) string { return []string{"", "", " ", "\n\t", "\r\n "}[random.IntN(5)] }

func anyValue(random *rand.Rand, depth int) string {
	switch random.IntN(7) {
	case 0:
		return []string{"null", "true", "false", "0", "-1.5e+3", "1E9"}[random.IntN(6)]
	case 1, 2:
		if depth > 3 {
			return "[]"
		}
		var entries []string
		for range random.IntN(4) {
			entries = append(entries, anyValue(random, depth+1))
		}
		return "[" + gap(random) + strings.Join(entries, gap(random)+","+gap(random)) + gap(random) + "]"
	case 3:
		if depth > 3 {
			return "{}"
		}
		return `{"subject":` + anyValue(random, depth+1) + `,"x]}":` + anyValue(random, depth+1) + "}"
	default:
		return literal(random, randomText(random))
	}
}

// literal writes a string, each character in one of the ways that JSON has.
func literal(random *rand.Rand, text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		plain, _ := json.Marshal(string(r))
		switch {
		case r < 0x10000 && random.IntN(4) == 0:
			fmt.Fprintf(&b, []string{`\u%04x`, `\u%04X`}[random.IntN(2)], r)
		case r >= 0x10000 && random.IntN(2) == 0:
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		case r == '/' && random.IntN(2) == 0:
			b.WriteString(`\/`)
		default:
			b.Write(plain[1 : len(plain)-1])
		}
	}
	b.WriteString(broken[random.IntN(len(broken))])
	b.WriteByte('"')
	return b.String()
}

// broken are characters that encoding/json mends; most strings have none.
var broken = []string{"", "", "", "", "", "", `\ud83c`, `\udf89`, `\ud83c\ud83c`, "\xff", "\xf0\x9f", "\xed\xa0\x80"}

func randomText(random *rand.Rand) string {
	var text strings.Builder
	for range random.IntN(12) {
		text.WriteRune([]rune("ab{}[]:,\"\\/ \n\r\t\b\f\x00\x7fé€字🎉\u2028\uFFFD\U0010FFFF<&")[random.IntN(28)])
	}
	return text.String()
}

// TestUnquoter cuts a string's inside at every byte.
func TestUnquoter(t *testing.T) {
	for inside, want := range map[string]string{
		"":                         "",
		`a\b\"\u00e9`:              "a\b\"é",
		`a\n\"é🎉\ud83c\udf89`:      "a\n\"é🎉🎉",
		`\ud83c`:                   "\uFFFD",
		`\ud83c\ud83c\udf89\udf89`: "\uFFFD🎉\uFFFD",
		`\ud83cx\ud83c\n`:          "\uFFFDx\uFFFD\n",
		"\xf0\x9f":                 "\uFFFD\uFFFD",
		`a\qb`:                     "a\uFFFDqb",
	} {
		for cut := range len(inside) + 1 {
			var u Unquoter
			if got := u.Text([]byte(inside[:cut])) + u.Text([]byte(inside[cut:])) + u.Text([]byte("|")); got != want+"|" {
				t.Errorf("%q cut at %d is %q, want %q", inside, cut, got, want)
			}
		}
	}
}

// TestPiecesComeEarly holds back nothing that is certain.
func TestPiecesComeEarly(t *testing.T) {
	var got string
	d := New(func(field, text string) { got += field + "=" + text }, "a", "b")
	for _, step := range []struct{ chunk, want string }{
		{`{"a":"Hel`, "a=Hel"}, {`lo\`, "a=lo"}, {`n\ud83c`, "a=\n"}, {`\udf8`, ""}, {`9`, "a=🎉"}, {"\xe2\x82", ""}, {"\xac!", "a=€!"},
		{`","b":["x`, "b=x"}, {`","`, "b=\n"}, {`y"]`, "b=y"},
	} {
		got = ""
		d.Write([]byte(step.chunk))
		if got != step.want {
			t.Errorf("after %q: %q, want %q", step.chunk, got, step.want)
		}
	}
}

// TestMemoryIsBounded feeds what never ends.
func TestMemoryIsBounded(t *testing.T) {
	for _, begin := range []string{"", "{", `{"`, `{"a":"`, `{"x":"`, `{"a":[`, `{"a":5`, `{"x":{`} {
		d := New(func(string, string) {}, "a")
		d.Write([]byte(begin))
		for _, fill := range []string{"a", "[", `\`, " ", "\xf0"} {
			for range 200 {
				d.Write([]byte(strings.Repeat(fill, 1000)))
			}
			if held := cap(d.name) + cap(d.held) + cap(d.text); held > 8192 {
				t.Errorf("after 200 kB of %q behind %q it holds %d bytes", fill, begin, held)
			}
		}
	}
}

// FuzzDecoder holds for any text: cuts do not matter, and where it is one JSON
// object with every name once, the pieces add up to its values.
func FuzzDecoder(f *testing.F) {
	random := newRandom()
	for range 20 {
		f.Add([]byte(document(random)), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		cut := read(t, string(text), rand.New(rand.NewPCG(seed, seed)), names...)
		whole := map[string]string{}
		New(func(field, text string) { whole[field] += text }, names...).Write(text)
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Fatalf("%q: whole and in pieces differ:\n%s", text, diff)
		}
		var value map[string]any
		if strict.Unmarshal(text, &value) != nil {
			return
		}
		if diff := cmp.Diff(sums(value), cut); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	})
}

// FuzzUnquoter: where the inside of a string was cut does not matter, and where
// it is valid the pieces add up to its value.
func FuzzUnquoter(f *testing.F) {
	for _, seed := range []string{`a\b\"\u00e9`, `\ud83c\udf89`, `\ud83c\ud83c\udf89\udf89`, `\ud83cx`, "\xf0\x9f", `a\qb`, `\u12g4`, `\`} {
		f.Add([]byte(seed), uint8(2))
	}
	f.Fuzz(func(t *testing.T, inside []byte, cut uint8) {
		at := min(int(cut), len(inside))
		var whole, parts Unquoter
		want := whole.Text(inside) + whole.Text([]byte("|"))
		if got := parts.Text(inside[:at]) + parts.Text(inside[at:]) + parts.Text([]byte("|")); got != want {
			t.Errorf("%q cut at %d is %q, want %q", inside, at, got, want)
		}
		var value string
		if json.Unmarshal([]byte(`"`+string(inside)+`"`), &value) == nil && value+"|" != want {
			t.Errorf("%q is %q, want %q", inside, want, value+"|")
		}
	})
}
