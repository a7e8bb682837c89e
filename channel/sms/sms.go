// Package sms makes a text message of a message's content, the same for every
// provider.
package sms

import (
	"strings"
	"unicode/utf16"

	"fanfare"
)

// Text is the message's text, for a recipient whom it may go to.
func Text(m fanfare.Outgoing) (string, error) {
	if number, err := fanfare.ParseRecipient(string(fanfare.SMS), m.Recipient); err != nil || number != m.Recipient {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "The recipient is no phone number with its country code."}
	}
	return Compose(m.Content)
}

// Compose is the text alone.
func Compose(c fanfare.Content) (string, error) {
	if c.SMS == nil || strings.TrimSpace(c.SMS.Text) == "" {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "The campaign has no content for sms."}
	}
	return strings.TrimSpace(fanfare.VisibleText(c.SMS.Text)), nil
}

// The characters of a text message that take seven bits, and those that take
// twice as much (3GPP TS 23.038, 6.2.1 and 6.2.1.1).
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// What a message holds, alone and as one part of several (3GPP TS 23.040,
// 9.2.3.24.1).
const (
	gsmAlone, gsmPart         = 160, 153 // septets
	unicodeAlone, unicodePart = 70, 67   // units of UTF-16
)

// Parts is how many messages a text becomes on its way, and whether it has
// characters that the GSM alphabet lacks, which makes them shorter.
func Parts(text string) (parts int, isUnicode bool) {
	var widths []int
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			widths = append(widths, 1)
		case strings.ContainsRune(gsmExtension, r):
			widths = append(widths, 2)
		default:
			return count(unicodeWidths(text), unicodeAlone, unicodePart), true
		}
	}
	return count(widths, gsmAlone, gsmPart), false
}

func unicodeWidths(text string) []int {
	var widths []int
	for _, r := range text {
		widths = append(widths, utf16.RuneLen(r))
	}
	return widths
}

// count fills parts with characters, none of which is taken apart.
func count(widths []int, alone, part int) int {
	total, parts, filled := 0, 1, 0
	for _, width := range widths {
		total += width
		if filled+width > part {
			parts, filled = parts+1, 0
		}
		filled += width
	}
	if total <= alone {
		return 1
	}
	return parts
}
