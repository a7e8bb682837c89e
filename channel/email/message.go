package email

import (
	"fmt"
	"net/mail"

	"fanfare"
)

// Message is a letter with what a provider's API is told beside it.
type Message struct {
	Letter
	From, To *mail.Address
	Headers  map[string]string
}

// Prepare makes a message for one recipient. Its error is a *fanfare.SendError:
// nobody would take this.
func Prepare(m fanfare.Outgoing, sender *mail.Address) (Message, error) {
	message, err := prepare(m, sender)
	if err != nil {
		const longest = 200
		return Message{}, &fanfare.SendError{
			Fate: fanfare.FateRefused, Reason: fanfare.CleanLine("No e-mail can be made of this: "+err.Error()+".", longest),
		}
	}
	return message, nil
}

func prepare(m fanfare.Outgoing, sender *mail.Address) (Message, error) {
	from, err := OnWire(sender)
	if err != nil {
		return Message{}, fmt.Errorf("the sender: %w", err)
	}
	to, err := ReadRecipient(m.Recipient)
	if err != nil {
		return Message{}, fmt.Errorf("the recipient: %w", err)
	}
	letter, err := Compose(m, Footer{Unsubscribe: m.UnsubscribeURL})
	return Message{Letter: letter, From: from, To: to, Headers: headers(m.UnsubscribeURL)}, err
}

// headers say that nobody is to answer by machine (RFC 3834), and where one click
// takes the recipient off the list (RFC 8058).
func headers(unsubscribe string) map[string]string {
	all := map[string]string{"Auto-Submitted": "auto-generated", "Precedence": "bulk"}
	if unsubscribe != "" {
		all["List-Unsubscribe"] = "<" + unsubscribe + ">"
		all["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
	}
	return all
}
