package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"fanfare/api"
	"fanfare/internal/apitest"
)

const fuzzedID = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"

// asked is what one execution of FuzzSurface asks for.
type asked struct {
	route   uint8  // of the table; beyond its end, path is the whole target
	method  uint8  // 0 the route's own, else one of methods
	who     uint8  // 0 nobody, 1 a key, 2 a session
	framing uint8  // of the body: one of framings
	path    string // in place of {id} and the like
	query   string // as it is, or as the value of every documented parameter
	name    string // of a header
	value   string
	body    string
}

// FuzzSurface asks everything of every route of the OpenAPI document, as bytes
// on a connection: whatever comes, the answer is no 5xx, every refusal has the
// one shape, and memory stays flat.
func FuzzSurface(f *testing.F) {
	a := apitest.New(f)
	a.API.Drain() // streams end at once, and nobody waits for a job
	s := &surface{a: a, routes: routesOf(f, a), own: map[string]string{}}
	ada := a.User(f, "ada@example.com")
	s.credentials = []string{"", "Authorization: " + ada.Header["Authorization"], "Cookie: " + a.SignedIn(f, ada).Header["Cookie"]}
	s.fill(f, ada)
	for _, seed := range surfaceSeeds(s.routes) {
		f.Add(seed.route, seed.method, seed.who, seed.framing, seed.path, seed.query, seed.name, seed.value, seed.body)
	}
	f.Fuzz(func(t *testing.T, route, method, who, framing uint8, path, query, name, value, body string) {
		s.ask(t, asked{route, method, who, framing, path, query, name, value, body})
	})
}

// surface is a server under fire.
type surface struct {
	a           *apitest.App
	routes      []fuzzedRoute
	credentials []string
	own         map[string]string // ids that are there, by the beginning of their routes
	count       int
}

type fuzzedRoute struct {
	method, path string
	query        []string
}

// routesOf reads the table from the document, so that no route is forgotten.
func routesOf(f *testing.F, a *apitest.App) (routes []fuzzedRoute) {
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ In, Name string }
		}
	}
	answer := a.Anonymous().Do(f, "GET /api/openapi.json", nil).Want(f, http.StatusOK)
	if err := json.Unmarshal([]byte(answer.Body), &doc); err != nil {
		f.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			route := fuzzedRoute{method: strings.ToUpper(method), path: path}
			for _, p := range doc.Paths[path][method].Parameters {
				if p.In == "query" {
					route.query = append(route.query, p.Name)
				}
			}
			routes = append(routes, route)
		}
	}
	return append(routes, fuzzedRoute{method: "GET", path: "/api/docs"}, fuzzedRoute{method: "GET", path: "/api/openapi.json"})
}

// fill makes a thing of each sort, for requests about what is there.
func (s *surface) fill(f *testing.F, ada *apitest.Client) {
	kit := `{"name": "k", "primaryColor": "#000000", "secondaryColor": "#ffffff", "fontFamily": "Inter", "tone": "dry", "values": "care"}`
	s.own["/api/brand"] = ada.Do(f, "POST /api/brand", kit).Want(f, http.StatusCreated).Text("id")
	answer := ada.Do(f, "POST /api/campaign", `{"prompt": "Sell tea"}`).Want(f, http.StatusAccepted)
	s.own["/api/campaign"], s.own["/api/conversations"] = answer.Text("campaign.id"), answer.Text("conversationId")
	s.own["/api/jobs"] = answer.Text("job.id")
	s.a.Exec(f, `UPDATE campaigns SET status = 'ready'`)
}

var (
	methods  = []string{"", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"}
	framings = []string{"length", "chunked", "bytewise", "too long", "too short", "gzip", "bomb", "none", "cut chunk"}
)

// bodies are what their routes take, for the fuzzer to begin with.
var bodies = map[string]string{
	"POST /api/auth/register":           `{"name": "Ada", "email": "eve@example.com", "password": "Quiet-harbour-77"}`,
	"POST /api/auth/login":              `{"email": "ada@example.com", "password": "\ud800"}`,
	"POST /api/keys":                    `{"name": "\ufeff"}`,
	"POST /api/campaign":                `{"prompt": "tea", "channels": ["sms"], "conversationHistory": [{"role": "assistant", "content": "a"}], "conversationId": "` + fuzzedID + `"}`,
	"PATCH /api/campaign/{id}":          `{"goal": "x", "budget": 1e2, "audience": {"n": 1e-300}, "content": {"sms": {"text": "a"}}, "channels": ["sms"]}`,
	"PUT /api/campaign/{id}/recipients": "email,ada@example.com\nsms,+15550100\nsms,x\n\"",
	"POST /api/campaign/launch":         `{"campaignId": "` + fuzzedID + `", "channels": ["email"], "dryRun": true}`,
	"POST /api/integrations":            `{"name": "SMTP", "type": "email", "credentials": {"host": "x", "port": "1", "from": "a@b.example"}}`,
	"POST /api/integrations/test":       `{"id": "` + fuzzedID + `"}`,
	"POST /unsubscribe/{token}":         "List-Unsubscribe=One-Click",
	"POST /api/analytics":               `{"campaignId": "` + fuzzedID + `", "goal": "x", "channels": ["sms"], "metrics": {"clicks": [1, 2]}}`,
	"POST /api/analytics/optimizations": `{"goal": "x", "channels": ["sms"], "currentPerformance": {"a": 1}, "targetMetrics": {}}`,
	"POST /api/brand":                   `{"name": "k", "primaryColor": "#000000", "secondaryColor": "#ffffff", "fontFamily": "Inter", "tone": "dry", "values": "care", "logoUrl": "https://x"}`,
	"PATCH /api/brand":                  `{"isActive": null, "logoUrl": null, "tone": 5}`,
	"PATCH /api/brand/{id}":             `{"isActive": true, "name": "\u0000"}`,
}

// surfaceSeeds ask of each route what it is for, and then what is odd.
func surfaceSeeds(routes []fuzzedRoute) (seeds []asked) {
	for i, route := range routes {
		body := bodies[route.method+" "+route.path]
		for who := range uint8(3) {
			seeds = append(seeds, asked{route: uint8(i), who: who, path: fuzzedID, body: body})
		}
		seeds = append(seeds, asked{route: uint8(i), who: 1, framing: uint8(i % len(framings)), method: uint8(i % len(methods)), path: "own", query: "=x", body: body})
		if body == "" {
			continue
		}
		for framing := range framings {
			seeds = append(seeds, asked{route: uint8(i), who: 1, framing: uint8(framing), path: "own", body: body})
		}
		for _, odd := range []string{
			"", "null", "[]", "{", `{"prompt": "\u0000"}`, `{"name": "` + "\xff" + `"}`, `{"goal": 1e999}`, strings.Repeat("[", 70), "\x00", `{"name": 1, "name": 2}`,
		} {
			seeds = append(seeds, asked{route: uint8(i), who: 1, path: "own", body: odd})
		}
	}
	for i, header := range []string{
		"Prefer: wait=0", "Prefer: wait=25", "Idempotency-Key: k", "Idempotency-Key: \xff", "Content-Type: application/x+json", "Content-Type: text/html", "Content-Encoding: br",
		"X-Request-Id: x", "X-Request-Id: \x7f", "Cookie: fanfare_session=x", "Authorization: Bearer x", "If-None-Match: W/\"x\"", "Origin: null", "Origin: https://evil.example",
		"Sec-Fetch-Site: cross-site", "X-Forwarded-For: ::1", "Accept: text/html", "Last-Event-ID: 1", "Last-Event-ID: e30", "Last-Event-ID: 9223372036854775808", "Host: x",
		"Range: bytes=0-", "Expect: 100-continue", "Expect: x", "Upgrade: h2c", "Transfer-Encoding: gzip", "Content-Length: -1", "Access-Control-Request-Method: POST",
	} {
		name, value, _ := strings.Cut(header, ": ")
		for route := range routes {
			if route%7 == i%7 {
				seeds = append(seeds, asked{route: uint8(route), who: 1, path: "own", name: name, value: value, body: bodies[routes[route].method+" "+routes[route].path]})
			}
		}
	}
	for _, target := range []string{
		"/", "//api//jobs", "/api/docs/..%2f..%2fetc/passwd", "/api/jobs/%00", "/api/keys/%ff", "/api/jobs?%", "*", "/api/jobs?limit=0", "/api/jobs?limit=1e2&cursor=%00", "http://x/api/jobs",
		"/api/campaign?status=ready&limit=100&cursor=MjAyNi0wMS0wMVQwMDowMDowMFog", "/api/jobs/{" + fuzzedID + "}", "/api/jobs?kind=campaign.generate&campaignId=x", "/api/brand?id=", "/api/brand?active=maybe",
	} {
		seeds = append(seeds, asked{route: 255, who: 1, path: target})
	}
	return seeds
}

// ask sends a request and looks at the answer. What no client library would
// send is sent all the same, as long as it is one request.
func (s *surface) ask(t *testing.T, q asked) {
	message := s.message(q)
	conn, err := net.Dial("tcp", s.a.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Less than the ten seconds after which the fuzzer would end us without a word.
	if err := conn.SetDeadline(time.Now().Add(9 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() { // the server may answer before it has read all
		defer close(sent)
		_, _ = conn.Write(message)
		if q.cut() {
			_ = conn.(*net.TCPConn).CloseWrite() // or the server would wait for the rest
		}
	}()
	method, _, _ := strings.Cut(string(message), " ")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err == nil && response.StatusCode == http.StatusContinue {
		response, err = http.ReadResponse(reader, &http.Request{Method: method})
	}
	if err != nil {
		if gone := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed); !gone && !isReset(err) {
			t.Fatalf("%q: %v", message, err)
		}
		return // we hung up in the middle of our own request
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	_ = response.Body.Close()
	_ = conn.Close()
	<-sent
	checkAnswer(t, message, method, response, body)
	s.checkMemory(t)
}

// cut says that the body may be shorter than the headers tell.
func (q asked) cut() bool {
	name := strings.ToLower(q.name)
	return slices.Contains([]string{"too long", "cut chunk"}, framings[int(q.framing)%len(framings)]) ||
		name == "content-length" || name == "transfer-encoding"
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset by peer") }

// message is the request's bytes.
func (s *surface) message(q asked) []byte {
	method, target := "GET", q.path
	if int(q.route) < len(s.routes) {
		route := s.routes[q.route]
		method, target = route.method, s.target(route, q)
	} else if target = oneWord(target); target == "" {
		target = "/"
	}
	if m := methods[int(q.method)%len(methods)]; m != "" {
		method = m
	}
	var m bytes.Buffer
	fmt.Fprintf(&m, "%s %s HTTP/1.1\r\nHost: fanfare.test\r\nConnection: close\r\n", method, target)
	if c := s.credentials[int(q.who)%len(s.credentials)]; c != "" {
		fmt.Fprintf(&m, "%s\r\n", c)
	}
	if httpguts.ValidHeaderFieldName(q.name) && httpguts.ValidHeaderFieldValue(q.value) {
		fmt.Fprintf(&m, "%s: %s\r\n", q.name, q.value)
	}
	if !strings.EqualFold(q.name, "Content-Type") {
		m.WriteString("Content-Type: application/json\r\n")
	}
	frame(&m, framings[int(q.framing)%len(framings)], q.body)
	return m.Bytes()
}

func (s *surface) target(route fuzzedRoute, q asked) string {
	id := q.path
	for begin, own := range s.own {
		if id == "own" && strings.HasPrefix(route.path, begin) {
			id = own
		}
	}
	target := parameter.ReplaceAllLiteralString(route.path, url.PathEscape(id))
	switch value, every := strings.CutPrefix(q.query, "="); {
	case every: // the value of each parameter
		values := url.Values{}
		for _, name := range route.query {
			values.Set(name, value)
		}
		return target + "?" + values.Encode()
	case q.query != "":
		return target + "?" + oneWord(q.query)
	}
	return target
}

var parameter = regexp.MustCompile(`\{[^}]*\}`) // of a path

// oneWord drops what would end a request line.
func oneWord(text string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// frame writes the rest of a request.
func frame(m *bytes.Buffer, how, body string) {
	switch how {
	case "length":
		fmt.Fprintf(m, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case "too long":
		fmt.Fprintf(m, "Content-Length: %d\r\n\r\n%s", len(body)+10, body)
	case "too short":
		fmt.Fprintf(m, "Content-Length: %d\r\n\r\n%s", len(body)/2, body)
	case "chunked":
		fmt.Fprintf(m, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", max(len(body), 1), max(body, " "))
	case "bytewise":
		m.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for i := range min(len(body), 1000) {
			fmt.Fprintf(m, "1\r\n%s\r\n", body[i:i+1])
		}
		m.WriteString("0\r\n\r\n")
	case "cut chunk":
		fmt.Fprintf(m, "Transfer-Encoding: chunked\r\n\r\nffffff\r\n%s", body)
	case "gzip", "bomb":
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = io.WriteString(w, body)
		if how == "bomb" {
			_, _ = w.Write(make([]byte, 8<<20))
		}
		_ = w.Close()
		fmt.Fprintf(m, "Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.Bytes())
	default:
		m.WriteString("\r\n")
	}
}

// checkAnswer holds an answer to the promises.
func checkAnswer(t *testing.T, message []byte, method string, response *http.Response, body []byte) {
	t.Helper()
	message = message[:min(len(message), 2000)]
	if response.Header.Get("X-Request-Id") == "" {
		// What is no request never reaches us: net/http refuses it, in a line of text.
		if refused := []int{400, 417, 431, 501, 505}; !slices.Contains(refused, response.StatusCode) {
			t.Errorf("%q: %s without X-Request-Id", message, response.Status)
		}
		return
	}
	notReady := response.StatusCode == http.StatusServiceUnavailable && bytes.Contains(message, []byte("/health/ready")) // since it drains
	if response.StatusCode >= http.StatusInternalServerError && !notReady {
		t.Fatalf("%q: %s %s", message, response.Status, body)
	}
	page := strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") // for who unsubscribes
	if response.StatusCode < http.StatusBadRequest || notReady || page && response.StatusCode == http.StatusNotFound || method == http.MethodHead {
		return
	}
	var e api.ErrorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Message == "" || e.Code == "" || e.RequestID != response.Header.Get("X-Request-Id") {
		t.Errorf("%q: %s %q: %v", message, response.Status, body, err)
	}
}

// flat is what the whole process may hold, the fuzzer's own things included.
const flat = 256 << 20

func (s *surface) checkMemory(t *testing.T) {
	t.Helper()
	if s.count++; s.count%500 != 0 {
		return
	}
	runtime.GC()
	var now runtime.MemStats
	if runtime.ReadMemStats(&now); now.HeapAlloc > flat {
		t.Errorf("after %d requests %d MiB are held", s.count, now.HeapAlloc>>20)
	}
}
