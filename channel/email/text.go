package email

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Text is HTML as it reads without its tags: a block has its own lines, an
// entry of a list its sign, a link its address behind it.
func Text(body string) (string, error) {
	nodes, err := parse(body)
	if err != nil {
		return "", err
	}
	var w textWriter
	for _, node := range nodes {
		w.node(node)
	}
	return w.out.String(), nil
}

// textWriter lays text out. The line breaks that it owes are written before the
// next text, so none are left at the end.
type textWriter struct {
	out   strings.Builder
	lines int    // line breaks owed
	space bool   // a space owed, unless lines are
	sign  string // of a list's entry, owed behind the lines
}

func (w *textWriter) node(n *html.Node) {
	if n.Type == html.TextNode {
		w.text(n.Data)
		return
	}
	around := linesAround(n.DataAtom)
	w.owe(around)
	switch n.DataAtom {
	case atom.Br:
		w.lines++
	case atom.Hr:
		w.word("---")
	case atom.Li:
		w.sign = sign(n) + " "
	case atom.Td, atom.Th:
		w.space = true
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		w.node(child)
	}
	switch n.DataAtom {
	case atom.A:
		w.link(n)
	case atom.Li:
		w.sign = ""
	}
	w.owe(around)
}

func linesAround(a atom.Atom) int {
	switch a {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.Ul, atom.Ol, atom.Blockquote, atom.Table, atom.Hr:
		return 2
	case atom.Li, atom.Tr, atom.Div:
		return 1
	default:
		return 0
	}
}

// owe asks for line breaks; none part the sign of an entry from its text.
func (w *textWriter) owe(lines int) {
	if w.sign == "" {
		w.lines = max(w.lines, lines)
	}
}

// text writes words with one space between them, as a browser shows them.
func (w *textWriter) text(data string) {
	if data != "" && isSpace(data[0]) {
		w.space = true
	}
	for i, word := range strings.FieldsFunc(data, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }) {
		w.space = w.space || i > 0
		w.word(word)
	}
	if data != "" && isSpace(data[len(data)-1]) {
		w.space = true
	}
}

func (w *textWriter) word(word string) {
	switch {
	case w.out.Len() == 0:
	case w.lines > 0:
		w.out.WriteString(strings.Repeat("\n", min(w.lines, 2)))
	case w.space:
		w.out.WriteByte(' ')
	}
	w.out.WriteString(w.sign + word)
	w.lines, w.space, w.sign = 0, false, ""
}

// link writes where a link leads, unless its text says it.
func (w *textWriter) link(n *html.Node) {
	for _, attribute := range n.Attr {
		to := strings.TrimPrefix(attribute.Val, "mailto:")
		if attribute.Key != "href" || to == "" || strings.HasSuffix(w.out.String(), to) {
			continue
		}
		w.space = true
		w.word("(" + to + ")")
	}
}

// sign is what stands before an entry of a list.
func sign(entry *html.Node) string {
	if entry.Parent == nil || entry.Parent.DataAtom != atom.Ol {
		return "-"
	}
	number := 1
	for before := entry.PrevSibling; before != nil; before = before.PrevSibling {
		if before.DataAtom == atom.Li {
			number++
		}
	}
	return strconv.Itoa(number) + "."
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
