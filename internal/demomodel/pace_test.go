package demomodel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fanfare/internal/demomodel"
)

const streamedEmail = `{"messages":[{"role":"user","content":"Vegan sneakers"}],"response_format":{"json_schema":{"name":"email"}},"stream":true}`

// pieces counts the pieces of text as they are flushed.
type pieces struct {
	*httptest.ResponseRecorder
	flushed int
	onFlush func()
}

func (p *pieces) FlushError() error {
	p.flushed++
	p.onFlush()
	return nil
}

func stream(ctx context.Context, pace time.Duration, onFlush func()) *pieces {
	p := &pieces{ResponseRecorder: httptest.NewRecorder(), onFlush: onFlush}
	request := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(streamedEmail))
	demomodel.New(demomodel.Pace(pace)).ServeHTTP(p, request.WithContext(ctx))
	return p
}

func TestPaceIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pace = 20 * time.Millisecond
		last := time.Now()
		var pauses []time.Duration
		p := stream(t.Context(), pace, func() {
			pauses = append(pauses, time.Since(last))
			last = time.Now()
		})
		if p.flushed < 50 || !strings.HasSuffix(p.Body.String(), "data: [DONE]\n\n") {
			t.Fatalf("a letter came in %d pieces: %s", p.flushed, p.Body)
		}
		for i, pause := range pauses[:len(pauses)-1] { // the last one has no text
			if pause != pace {
				t.Fatalf("piece %d came after %s, want %s", i, pause, pace)
			}
		}
	})
}

func TestPaceEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		p := stream(ctx, time.Hour, cancel)
		if waited := time.Since(begin); p.flushed != 1 || waited != time.Hour || strings.Contains(p.Body.String(), "[DONE]") {
			t.Errorf("%d pieces in %s after the reader left behind the first: %s", p.flushed, waited, p.Body)
		}
	})
}
