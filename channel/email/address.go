package email

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// ReadRecipient takes an address and nothing else: no name, no second one.
func ReadRecipient(recipient string) (*mail.Address, error) {
	address, err := mail.ParseAddress(recipient)
	if err != nil || address.Name != "" || strings.ContainsFunc(recipient, unicode.IsControl) {
		return nil, errors.New("it is not an e-mail address")
	}
	return OnWire(address)
}

// OnWire writes the domain as the DNS knows it.
func OnWire(address *mail.Address) (*mail.Address, error) {
	at := strings.LastIndexByte(address.Address, '@')
	domain, err := idna.Lookup.ToASCII(address.Address[at+1:])
	if at < 1 || err != nil {
		return nil, errors.New("its domain is not one that mail can go to")
	}
	return &mail.Address{Name: address.Name, Address: address.Address[:at+1] + domain}, nil
}

// Domain is what stands behind the @.
func Domain(address *mail.Address) string {
	return address.Address[strings.LastIndexByte(address.Address, '@')+1:]
}

// Mailbox writes name and address for those who encode the name themselves: in
// quotes, and with all its letters.
func Mailbox(address *mail.Address) string {
	bare := strings.Trim((&mail.Address{Address: address.Address}).String(), "<>")
	if address.Name == "" {
		return bare
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line(address.Name)) + `" <` + bare + ">"
}
