package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofrs/uuid/v5"

	"fanfare"
)

// PageInput is how every list is asked for. (Exported, since huma leaves
// embedded structs alone that are not.)
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"200" doc:"From the Link header of the page before"`
}

// page asks for one row more than is shown: it tells whether there is a next page.
func (in PageInput) page() (fanfare.Page, error) {
	page := fanfare.Page{Limit: in.Limit + 1}
	if in.Cursor == "" {
		return page, nil
	}
	position, ok := decodeCursor(in.Cursor)
	if !ok {
		return page, fanfare.Invalid("cursor", "is not one that we gave out. Start again without it")
	}
	page.Before = &position
	return page, nil
}

// listOutput is how every list is answered.
type listOutput[T any] struct {
	Link string `header:"Link" doc:"<…>; rel=\"next\" where there is a next page"`
	Body []T    `nullable:"false"`
}

// listed cuts rows to the page that was asked for. Filters are repeated in the
// link to the next one.
func listed[T any](in PageInput, path string, filters url.Values, rows []T, position func(T) fanfare.Position) *listOutput[T] {
	if len(rows) <= in.Limit {
		return &listOutput[T]{Body: append([]T{}, rows...)}
	}
	rows = rows[:in.Limit]
	if filters == nil {
		filters = url.Values{}
	}
	for name, values := range filters {
		if strings.Join(values, "") == "" {
			filters.Del(name)
		}
	}
	filters.Set("limit", strconv.Itoa(in.Limit))
	filters.Set("cursor", encodeCursor(position(rows[len(rows)-1])))
	return &listOutput[T]{Link: "<" + path + "?" + filters.Encode() + `>; rel="next"`, Body: rows}
}

func encodeCursor(p fanfare.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.CreatedAt.UTC().Format(time.RFC3339Nano) + " " + p.ID))
}

func decodeCursor(cursor string) (fanfare.Position, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return fanfare.Position{}, false
	}
	text, id, _ := strings.Cut(string(raw), " ")
	createdAt, err := time.Parse(time.RFC3339Nano, text)
	return fanfare.Position{CreatedAt: createdAt, ID: id}, err == nil && isID(id)
}

// IDInput names one thing by its id.
type IDInput struct {
	ID string `path:"id" doc:"A UUID"`
}

// Resolve implements huma.Resolver. PostgreSQL would take a UUID in other forms
// too; audit records name things in one.
func (in *IDInput) Resolve(huma.Context) []error {
	return readID(&in.ID)
}

// IDQueryInput is IDInput for those who name a thing with ?id=.
type IDQueryInput struct {
	ID string `query:"id" required:"true" doc:"A UUID"`
}

// Resolve implements huma.Resolver. That an id is missing is said by its tag.
func (in *IDQueryInput) Resolve(huma.Context) []error {
	if in.ID == "" {
		return nil
	}
	return readID(&in.ID)
}

func readID(id *string) []error {
	*id = strings.ToLower(*id)
	if !isID(*id) {
		return []error{&ErrorBody{status: http.StatusNotFound}}
	}
	return nil
}

func isID(s string) bool {
	_, err := uuid.FromString(s)
	return err == nil && len(s) == 36
}
