package slack

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	client "github.com/slack-go/slack"

	"fanfare"
	"fanfare/channel/rest"
)

func fateOf(err error) fanfare.Fate {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Fate
	}
	return ""
}

// judge says what an error of the client means for a message. What Slack itself
// says goes into the reason only; the cause is for the log.
func (c *connection) judge(err error, reached, commits bool) *fanfare.SendError {
	if limited, ok := errors.AsType[*client.RateLimitedError](err); ok {
		return &fanfare.SendError{
			Fate: fanfare.FateHalted, Reason: "Slack takes no more for the moment.", RetryAfter: limited.RetryAfter,
			Cause: errors.New("rate limited"),
		}
	}
	if status, ok := errors.AsType[client.StatusCodeError](err); ok {
		return &fanfare.SendError{
			Fate: rest.FateOf(status.Code, commits), Reason: fmt.Sprintf("Slack answered %d.", status.Code),
			Cause: &rest.StatusError{Call: name, Code: status.Code},
		}
	}
	if said, ok := errors.AsType[client.SlackErrorResponse](err); ok {
		return &fanfare.SendError{
			Fate: fateOfCode(said.Err, commits), Reason: c.clean.Clean("Slack refused it: " + said.Err),
			Cause: errors.New(c.clean.Clean(said.Err)),
		}
	}
	return rest.Unanswered(name, reached, commits, errors.New(c.clean.Clean(err.Error())))
}

// fateOfCode sorts Slack's errors
// (https://docs.slack.dev/reference/methods/chat.postMessage#errors): those of
// the token or the channel, which every message would meet; those of the message;
// and those of Slack itself, with all that are not listed, after which part of a
// call may have been done.
func fateOfCode(code string, commits bool) fanfare.Fate {
	switch {
	case slices.Contains([]string{
		"access_denied", "accesslimited", "account_inactive", "channel_not_found", "ekm_access_denied", "enterprise_is_restricted", "invalid_auth",
		"is_archived", "missing_scope", "no_permission", "not_allowed_token_type", "not_authed", "not_in_channel", "org_login_required",
		"team_access_not_granted", "team_not_found", "token_expired", "token_revoked", "two_factor_setup_required",
	}, code), strings.HasPrefix(code, "restricted_action"):
		return fanfare.FateUnauthorized
	case slices.Contains([]string{"message_limit_exceeded", "rate_limited", "ratelimited", "request_timeout", "team_added_to_org"}, code):
		return fanfare.FateHalted
	case isOfTheMessage(code):
		return fanfare.FateRefused
	default:
		return rest.FateOf(http.StatusInternalServerError, commits)
	}
}

func isOfTheMessage(code string) bool {
	return slices.Contains([]string{"as_user_not_supported", "deprecated_endpoint", "markdown_text_conflict", "messages_tab_disabled", "method_deprecated", "no_text"}, code) ||
		slices.ContainsFunc([]string{"attachment_", "invalid_", "metadata_", "missing_", "msg_", "slack_connect_", "too_many_"}, func(prefix string) bool {
			return strings.HasPrefix(code, prefix)
		})
}
