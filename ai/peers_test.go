//go:build peers

package ai

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// aimock is an OpenAI-compatible server that others wrote, to be tested
// against; it comes from npm (make test-peers).
const aimock = "@copilotkit/aimock@1.43.0"

// fixture is an answer of aimock, chosen by the system message or the model.
type fixture struct {
	Match struct {
		Model         string `json:"model,omitempty"`
		SystemMessage string `json:"systemMessage,omitempty"`
	} `json:"match"`
	Response            any            `json:"response"`
	ChunkSize           int            `json:"chunkSize,omitempty"`
	TruncateAfterChunks int            `json:"truncateAfterChunks,omitempty"`
	StreamingProfile    map[string]any `json:"streamingProfile,omitempty"`
	Chaos               map[string]any `json:"chaos,omitempty"`
}

func forModel(model string, f fixture) fixture {
	f.Match.Model = model
	return f
}

func TestPeerAimock(t *testing.T) {
	program := installAimock(t)
	answers := map[string]string{
		intentName:             `{"goal":"Sell 🎉","channels":["sms","email"],"keyMessage":"k","callToAction":"c","audience":"","budget":500,"schedule":""}`,
		string(fanfare.Email):  email("Hello", "Th\"ere", "<h1>Hi &amp; hello</h1><p>Straße<br>🎉</p>"+body(210)),
		string(fanfare.Social): `{"post":"Hi!\nBye, 3 < 5 \u00e9\ud83c\udf89","hashtags":["one","#two"]}`,
		string(fanfare.PPC):    `{"headlines":["a","b","c"],"descriptions":["d","e"]}`,
		string(fanfare.SMS):    "```json\n" + goodSMS + "\n```",
		analyzeName:            goodInsights,
		optimizeName:           goodSuggestions,
	}
	var fixtures []fixture
	for name, prompt := range renderPrompts() {
		f := fixture{Response: map[string]any{
			"content": answers[name], "usage": map[string]int{"prompt_tokens": 10, "completion_tokens": 5},
		}}
		f.Match.Model, f.Match.SystemMessage = "test-model", prompt
		fixtures = append(fixtures, f)
	}
	for name, flags := range map[string][]string{
		"a character at a time":  {"--chunk-size", "1"},
		"slowly":                 {"--chunk-size", "7", "--latency", "3"},
		"at once":                {"--chunk-size", "1000000"},
		"after a while":          {"--chaos-latency", "200"},
		"with its own chunksize": nil,
	} {
		t.Run(name, func(t *testing.T) {
			url := startAimock(t, program, fixtures, flags...)
			askPeer(t, New(Config{APIKey: testKey, BaseURL: url, Model: "test-model", Timeout: 20 * time.Second}))
		})
	}
	t.Run("failing", func(t *testing.T) { failPeer(t, program, answers[string(fanfare.SMS)]) })
}

// askPeer has everything written that there is, in one ask each.
func askPeer(t *testing.T, w *Writer) {
	t.Helper()
	want := fanfare.Usage{InputTokens: 10, OutputTokens: 5, Model: "test-model"}
	intent, usage, err := w.ReadBrief(t.Context(), sneakers)
	if err != nil || intent.Goal != "Sell 🎉" || len(intent.Channels) != 2 || usage != want {
		t.Fatalf("intent %+v, usage %+v, error %v", intent, usage, err)
	}
	for _, channel := range fanfare.Channels() {
		var sink ear
		content, usage, err := w.WriteContent(t.Context(), channel, sneakers, intent, &sink)
		if err != nil || usage != want || sink.restarts != 1 {
			t.Fatalf("%s: usage %+v, %d restarts, error %v", channel, usage, sink.restarts, err)
		}
		if diff := cmp.Diff(readable(t, content), sink.sums); diff != "" {
			t.Errorf("%s (-content +heard):\n%s", channel, diff)
		}
	}
	if insights, usage, err := w.Analyze(t.Context(), tea); err != nil || usage != want || len(insights.KeyMetrics) != 3 {
		t.Errorf("insights %+v, usage %+v, error %v", insights, usage, err)
	}
	if suggestions, usage, err := w.SuggestOptimizations(t.Context(), tea); err != nil || usage != want || len(suggestions) != 2 {
		t.Errorf("suggestions %q, usage %+v, error %v", suggestions, usage, err)
	}
	if got := w.dialect.form(); got != (form{format: formatSchema, stream: streamUsage}) {
		t.Errorf("it was asked with less than it takes: %+v", got)
	}
}

func failPeer(t *testing.T, program, answer string) {
	t.Helper()
	failure := func(status int, code string) map[string]any {
		return map[string]any{"status": status, "error": map[string]any{"message": "no", "type": "x", "code": code}}
	}
	ends := func(reason string) fixture {
		return fixture{Response: map[string]any{"content": answer, "finishReason": reason}}
	}
	url := startAimock(t, program, []fixture{
		forModel("limited", fixture{Response: failure(429, "rate_limit_exceeded")}),
		forModel("broken", fixture{Response: failure(503, "server_error")}),
		forModel("length", ends("length")),
		forModel("filter", ends("content_filter")),
		forModel("cut", fixture{Response: map[string]any{"content": answer}, ChunkSize: 5, TruncateAfterChunks: 4}),
		forModel("malformed", fixture{Response: map[string]any{"content": answer}, Chaos: map[string]any{"malformedRate": 1}}),
		forModel("disconnects", fixture{Response: map[string]any{"content": answer}, Chaos: map[string]any{"disconnectRate": 1}}),
		forModel("late", fixture{Response: map[string]any{"content": answer}, StreamingProfile: map[string]any{"ttft": 60_000}}),
		forModel("slow", fixture{Response: map[string]any{"content": answer}, ChunkSize: 1, StreamingProfile: map[string]any{"tps": 0.1}}),
	})
	for model, code := range map[string]string{
		"limited": fanfare.CodeAIRateLimited, "broken": fanfare.CodeAIUnavailable, "unknown": fanfare.CodeAIUnavailable,
		"length": fanfare.CodeAIInvalidOutput, "filter": fanfare.CodeAIRefused, "cut": fanfare.CodeAIUnavailable,
		"malformed": fanfare.CodeAIInvalidOutput, "disconnects": fanfare.CodeAIUnavailable,
		"late": fanfare.CodeAITimeout, "slow": fanfare.CodeAITimeout,
	} {
		w := New(Config{APIKey: testKey, BaseURL: url, Model: model, Timeout: time.Second})
		content, _, err := writeSMS(t, w, &ear{})
		if fanfare.ErrorCode(err) != code || content != nil {
			t.Errorf("%s: content %v, error %v, want %s", model, content, err, code)
		}
	}
	w := New(Config{APIKey: "sk-wrong", BaseURL: url, Model: "length"})
	if _, _, err := writeSMS(t, w, nil); err == nil || !strings.Contains(err.Error(), "OPENAI_API_KEY") {
		t.Errorf("with a wrong key: error %v", err)
	}
}

func installAimock(t *testing.T) (program string) {
	t.Helper()
	folder := t.TempDir()
	install := exec.CommandContext(t.Context(), "npm", "install", "--prefix", folder,
		"--ignore-scripts", "--no-audit", "--no-fund", "--no-save", aimock)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing %s: %v\n%s", aimock, err, output)
	}
	return filepath.Join(folder, "node_modules", "@copilotkit", "aimock", "dist", "cli.js")
}

// startAimock returns the base URL of a server that stops with the test.
func startAimock(t *testing.T, program string, fixtures []fixture, flags ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fixtures.json")
	text, err := json.Marshal(map[string]any{"fixtures": fixtures})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("node", append([]string{program, "--port", "0", "--fixtures", file, "--strict", "--validate-on-load"}, flags...)...)
	server.Env = append(os.Environ(), "AIMOCK_API_KEYS="+testKey)
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("starting %s: %v", aimock, err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if _, url, found := strings.Cut(lines.Text(), "listening on "); found {
			return strings.TrimSpace(url) + "/v1"
		}
	}
	t.Fatalf("%s ended without listening", aimock)
	return ""
}
