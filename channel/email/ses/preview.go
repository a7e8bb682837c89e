package ses

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"fanfare"
)

// Preview implements fanfare.Connection: it has the client make its request, and
// hand it to nobody.
func (c *connection) Preview(ctx context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	input, err := c.input(m)
	if err != nil {
		return nil, err
	}
	var made recorder
	if _, err := c.client.SendEmail(ctx, input, func(o *sesv2.Options) { o.HTTPClient = &made }); err != nil {
		return nil, fmt.Errorf("writing a preview: %w", err)
	}
	return []fanfare.OutgoingRequest{made.request}, nil
}

// recorder answers a request by itself, and keeps what of it may be shown: the
// other headers are of its signature.
type recorder struct{ request fanfare.OutgoingRequest }

// Do implements sesv2.HTTPClient.
func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	r.request = fanfare.OutgoingRequest{
		Method: request.Method, URL: request.URL.String(), Body: indented.String(),
		Headers: map[string]string{"Content-Type": request.Header.Get("Content-Type")},
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
}
