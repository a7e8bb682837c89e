package connector

import (
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"fanfare"
)

// RateField is the credential field in which a user limits how many messages a
// second go to a provider. Every provider has it.
const RateField = "ratePerSecond"

const (
	maxFieldSize = 4096 // bytes
	maxRate      = 10_000
)

// RateCredential describes RateField.
func RateCredential() fanfare.CredentialField {
	return fanfare.CredentialField{Name: RateField, Label: "Messages per second, at most"}
}

// Rate reads RateField; 0 if there is none, which is no limit.
func Rate(c fanfare.Credentials) float64 {
	rate, _ := strconv.ParseFloat(c[RateField], 64) // CheckFields refused what is no number
	return rate
}

// Rule says in a sentence's end what is wrong with a field's value, and nothing
// if it is fine. It must not quote the value.
type Rule func(value string) string

// CheckFields holds credentials to the provider's fields: none is missing, none
// unknown, each is a line of text and keeps the rule of its name, if there is
// one. The error names every field that does not.
func CheckFields(p fanfare.Provider, c fanfare.Credentials, rules map[string]Rule) error {
	var found []fanfare.FieldError
	for _, field := range p.CredentialFields {
		if problem := problemOf(field, c[field.Name], rules[field.Name]); problem != "" {
			found = append(found, fanfare.FieldError{Field: "credentials." + field.Name, Message: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if !slices.ContainsFunc(p.CredentialFields, func(f fanfare.CredentialField) bool { return f.Name == name }) {
			found = append(found, fanfare.FieldError{Field: "credentials." + identifier(name), Message: "is not a field of " + p.Name})
		}
	}
	if len(found) == 0 {
		return nil
	}
	refusal := fanfare.Invalid(found[0].Field, "%s", found[0].Message)
	refusal.Fields = found
	return refusal
}

func problemOf(field fanfare.CredentialField, value string, rule Rule) string {
	switch {
	case value == "" && field.Required:
		return "is missing"
	case value == "":
		return ""
	case len(value) > maxFieldSize:
		return "is too long"
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "must be a line of text"
	case field.Name == RateField:
		return wrongRate(value)
	case rule != nil:
		return rule(value)
	default:
		return ""
	}
}

func wrongRate(value string) string {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate > 0 && rate <= maxRate) || strings.ContainsAny(value, "xXpP_") {
		return "must be a number above 0, such as 5 or 0.5"
	}
	return ""
}

// WrongAddress is the Rule of a sender: "me@example.com" or
// "My shop <me@example.com>".
func WrongAddress(value string) string {
	if _, err := mail.ParseAddress(value); err != nil {
		return "must be an e-mail address"
	}
	return ""
}

// identifier is a field's name as it may be shown.
func identifier(name string) string {
	const longest = 40
	if name == "" || len(name) > longest || strings.ContainsFunc(name, notInIdentifier) {
		return "?"
	}
	return name
}

func notInIdentifier(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
}
