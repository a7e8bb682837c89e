package app

import (
	"fanfare"
	"fanfare/ai"
)

// cleaner is what package ai offers as functions and the API wants as an
// interface.
type cleaner struct{}

func (cleaner) CleanBrief(text string) (string, error) { return ai.CleanBrief(text) }
func (cleaner) CleanText(field, text string, most int) (string, error) {
	return ai.CleanText(field, text, most)
}
func (cleaner) CleanHTML(body string) string { return ai.CleanHTML(body) }
func (cleaner) CleanHistory(turns []fanfare.Turn) ([]fanfare.Turn, error) {
	return ai.CleanHistory(turns)
}
