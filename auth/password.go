package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"fanfare"
)

const (
	minPassword = 8   // characters
	maxPassword = 100 // characters
	// maxPasswordBytes is far above what 100 characters need, and keeps the
	// work on what a stranger sends small.
	maxPasswordBytes = 4096
)

// CheckPassword refuses a password that breaks a rule, with one field error
// for each rule that it breaks. Name and email are its owner's, which everybody
// knows.
func (Accounts) CheckPassword(password, name, email string) error {
	if len(password) > maxPasswordBytes {
		return refusal([]string{tooLong()})
	}
	prepared, err := prepare(password)
	broken := append(checkLength(prepared), checkClasses(prepared)...)
	if err != nil && password != "" {
		broken = append(broken, "must not contain control characters or invisible ones")
	}
	if guess := guessable(prepared, []string{name, email}); guess != "" {
		broken = append(broken, guess)
	}
	if len(broken) == 0 {
		return nil
	}
	return refusal(broken)
}

// prepare brings a password into the one form that is checked and hashed:
// OpaqueString of RFC 8265, section 4.2. It keeps case, turns every kind of
// space into the plain one, and composes (NFC), since the same key gives "é"
// on one system and "e" with an accent on another. NFKC would make different
// passwords equal.
func prepare(password string) (string, error) {
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		return password, fmt.Errorf("preparing a password: %w", err)
	}
	return prepared, nil
}

func checkLength(password string) []string {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return []string{fmt.Sprintf("must have at least %d characters", minPassword)}
	case n > maxPassword:
		return []string{tooLong()}
	}
	return nil
}

func tooLong() string { return fmt.Sprintf("must have at most %d characters", maxPassword) }

func checkClasses(password string) []string {
	var upper, lower, digit, other bool
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		case unicode.IsDigit(r):
			digit = true
		default:
			other = true
		}
	}
	var missing []string
	for _, class := range []struct {
		there bool
		name  string
	}{
		{upper, "an upper-case letter"},
		{lower, "a lower-case letter"},
		{digit, "a digit"},
		{other, "a sign, such as ! or -"},
	} {
		if !class.there {
			missing = append(missing, "must contain "+class.name)
		}
	}
	return missing
}

func refusal(broken []string) *fanfare.Error {
	refused := fanfare.Invalid("password", "%s", strings.Join(broken, "; "))
	refused.Fields = nil
	for _, rule := range broken {
		refused.Fields = append(refused.Fields, fanfare.FieldError{Field: "password", Message: rule})
	}
	return refused
}
