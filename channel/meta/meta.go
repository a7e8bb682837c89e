// Package meta calls the Graph API of Facebook, for the connectors of its pages
// and its ads. It is written from
// https://developers.facebook.com/docs/graph-api/guides/error-handling,
// https://developers.facebook.com/docs/graph-api/guides/versioning and
// https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived.
//
// Its tokens are not renewed: a page's, had by a long-lived user token, and a
// system user's do not end.
package meta

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

// apiURL has the version, which Meta keeps for two years.
const apiURL = "https://graph.facebook.com/v24.0"

// TokenField is the credential that calls are made with.
const TokenField = "accessToken"

// New returns the API as the provider of that name.
func New(name string, outside connector.Outside, c fanfare.Credentials) rest.API {
	token := c[TokenField]
	return rest.API{
		Name: name, BaseURL: cmp.Or(outside.BaseURLs[name], apiURL), Client: outside.HTTP, Patience: outside.Patience,
		Clean: connector.NewRedactor(token), Explain: explain, Judge: judge,
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
	}
}

// WrongID is the Rule of an id: a number.
func WrongID(id string) string {
	if len(id) > 20 || strings.Trim(id, "0123456789") != "" {
		return "must be a number"
	}
	return ""
}

type problem struct {
	Error struct {
		Message string
		Code    int
		Subcode int    `json:"error_subcode"`
		Title   string `json:"error_user_title"`
		Text    string `json:"error_user_msg"`
	}
}

func explain(body []byte) string {
	var p problem
	if json.Unmarshal(body, &p) != nil || p.Error.Code == 0 {
		return ""
	}
	return strings.TrimSpace(cmp.Or(strings.TrimSpace(p.Error.Title+" "+p.Error.Text), p.Error.Message) + " (" + strconv.Itoa(p.Error.Code) + ")")
}

// judge goes by the code: Meta says 400 to most. What it calls a failure of its
// own, by a code that is none of these, may have been done.
func judge(status int, body []byte) fanfare.Fate {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	switch code := p.Error.Code; {
	case code == 1, code == 2: // something went wrong there, nobody says when
		return fanfare.FateUnknown
	case code == 4, code == 17, code == 32, code == 341, code == 613, code >= 80_000 && code <= 80_014: // limits
		return fanfare.FateHalted
	case code == 10, code == 102, code == 190, code >= 200 && code <= 299: // tokens and permissions
		return fanfare.FateUnauthorized
	case code != 0 && status < http.StatusInternalServerError:
		return fanfare.FateRefused
	default:
		return ""
	}
}
