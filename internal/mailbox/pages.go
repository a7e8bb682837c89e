package mailbox

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed pages/*
var files embed.FS

// What browsers may do on the pages, and in a letter that is shown: next to
// nothing. A letter is not ours. It says nothing of frame-ancestors: with 'self'
// Chromium shows it in no sandboxed frame, ours either.
const (
	pagePolicy   = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; sandbox"
)

// pages are what a browser sees of a mailbox.
type pages struct {
	mailbox   *Mailbox
	templates *template.Template
}

// Handler shows the list of messages at / and each of them at /<number>. It
// answers requests for this machine's own names only: other sites' names may
// be made to lead here.
func (m *Mailbox) Handler() http.Handler {
	p := pages{m, template.Must(template.ParseFS(files, "pages/*.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "pages/style.css") })
	mux.HandleFunc("GET /{number}", p.each(p.message))
	mux.HandleFunc("GET /{number}/html", p.each(p.html))
	mux.HandleFunc("GET /{number}/raw", p.each(p.raw))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "This mailbox is read at its address on this machine only.", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		mux.ServeHTTP(w, r)
	})
}

func isLocal(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.IsLoopback()
}

// each finds the message that a request is for.
func (p pages) each(show func(http.ResponseWriter, Message)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		number, _ := strconv.Atoi(r.PathValue("number")) // there is no message 0
		message, found := p.mailbox.Message(number)
		if !found {
			http.Error(w, "There is no such message; perhaps it is not kept any more.", http.StatusNotFound)
			return
		}
		show(w, message)
	}
}

func (p pages) list(w http.ResponseWriter, _ *http.Request) {
	p.page(w, "list.html", map[string]any{"Messages": p.mailbox.Messages(), "Keep": p.mailbox.options.Keep})
}

// message shows what could be read, where not all could be.
func (p pages) message(w http.ResponseWriter, m Message) {
	letter, err := m.Letter()
	p.page(w, "message.html", map[string]any{
		"Message": m, "Letter": letter, "Unreadable": err, "Headers": headers(letter.Header), "Unsubscribe": unsubscribeLink(letter.Header),
	})
}

func (p pages) html(w http.ResponseWriter, m Message) {
	letter, _ := m.Letter() // the page says what could not be read
	w.Header().Set("Content-Security-Policy", letterPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(letter.HTML)) // fails for who has gone away
}

func (p pages) raw(w http.ResponseWriter, m Message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(m.Raw) // likewise
}

func (p pages) page(w http.ResponseWriter, name string, data any) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, data); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // likewise
}

// header is a line of a message's header.
type header struct{ Name, Value string }

func headers(h mail.Header) (lines []header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			lines = append(lines, header{name, decoded(value)})
		}
	}
	return lines
}

// unsubscribeLink is the page that List-Unsubscribe names (RFC 2369), "" where
// it names none.
func unsubscribeLink(h mail.Header) string {
	for entry := range strings.SplitSeq(h.Get("List-Unsubscribe"), ",") {
		link := strings.Trim(strings.TrimSpace(entry), "<>")
		if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
			return link
		}
	}
	return ""
}
