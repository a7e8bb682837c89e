package ses

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"fanfare"
	"fanfare/channel/rest"
)

var errNoID = errors.New("the answer has no MessageId")

const (
	// pause is for an account that sends more a second than its quota.
	pause = time.Second
	// longPause is for one that has sent all it may within 24 hours: a little
	// comes free each hour.
	longPause = time.Hour
)

// judge says what an error of the client means for a message. What SES itself
// says goes into the reason only; the cause is for the log.
func (c *connection) judge(err error, reached, commits bool) *fanfare.SendError {
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
		return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "Amazon SES takes no such message.", Cause: errors.New(c.clean.Clean(err.Error()))}
	}
	status := 0
	if answered, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = answered.HTTPStatusCode()
	}
	if status/100 == 2 || status == 0 {
		return rest.Unanswered(name, reached, commits, errors.New(c.clean.Clean(err.Error())))
	}
	e := &fanfare.SendError{Fate: rest.FateOf(status, commits), Reason: "Amazon SES refused it.", Cause: &rest.StatusError{Call: name, Code: status}}
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		e.Reason = c.clean.Clean("Amazon SES refused it: " + said.ErrorMessage() + " (" + said.ErrorCode() + ")")
		e.Fate, e.RetryAfter = c.fateOf(said, e.Fate)
	}
	return e
}

// fateOf sorts SES's errors
// (https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html, too):
// those of the account or the sender, which every message would meet; those of the
// moment; those of the message. For the others the status speaks.
func (c *connection) fateOf(said smithy.APIError, otherwise fanfare.Fate) (fanfare.Fate, time.Duration) {
	code, message := said.ErrorCode(), said.ErrorMessage()
	switch {
	case slices.Contains([]string{"TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling"}, code):
		if strings.Contains(strings.ToLower(message), "daily") {
			return fanfare.FateHalted, longPause
		}
		return fanfare.FateHalted, pause
	case slices.Contains([]string{
		"AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException", "NotFoundException", // of the configuration set
		"AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "OptInRequired",
		"InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
	}, code):
		return fanfare.FateUnauthorized, 0
	case code == "MessageRejected" && strings.Contains(message, "not verified"): // the sender
		return fanfare.FateUnauthorized, 0
	default:
		return otherwise, 0
	}
}
