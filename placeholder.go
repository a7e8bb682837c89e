package fanfare

import "regexp"

// placeholder matches what templates and letters leave to be filled in:
// {{name}}, {Name}, [Your Company], %FIRSTNAME%, *|FNAME|*.
var placeholder = regexp.MustCompile(`\{\{[^{}]*\}\}|\{[\pL_][\pL\pN_ .'’-]{0,40}\}|\[\pL[^\[\]\n]{0,40}\]|%[A-Z_]{3,30}%|\*\|[^|]{1,40}\|\*`)

// Placeholders returns what a text leaves to be filled in, as it stands there,
// in order; nil if there is nothing. Nobody fills anything in: a text that
// holds one must not go out.
func Placeholders(text string) []string { return placeholder.FindAllString(text, -1) }
