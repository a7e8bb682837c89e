package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"fanfare"
)

// parsers returns a parser for each type of setting that is not a string. The
// errors of env's own ones quote the value, which may be a secret that went
// into the wrong variable.
func parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[bool]():           parser(parseBool),
		reflect.TypeFor[int]():            parser(parseInt),
		reflect.TypeFor[time.Duration]():  parser(parseDuration),
		reflect.TypeFor[fanfare.Money]():  parser(parsePrice),
		reflect.TypeFor[[]string]():       parser(parseList),
		reflect.TypeFor[[]netip.Prefix](): parser(parsePrefixes),
	}
}

func parser[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(s string) (any, error) { return parse(s) }
}

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("must be true or false")
	}
	return b, nil
}

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errors.New("must be a whole number")
	}
	return n, nil
}

// maxDays keeps a number of days below what a time.Duration holds.
const maxDays = 100 * 365

// parseDuration reads Go's durations and, beside them, days: "30d".
func parseDuration(s string) (time.Duration, error) {
	var d time.Duration
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n <= maxDays {
			d = time.Duration(n) * 24 * time.Hour
		}
	} else if parsed, err := time.ParseDuration(s); err == nil {
		d = parsed
	}
	if d <= 0 {
		return 0, errors.New("must be a time above 0, such as 500ms, 20s, 15m, 24h or 30d")
	}
	return d, nil
}

func parsePrice(s string) (fanfare.Money, error) {
	price, err := fanfare.ParseMoney(s)
	if err != nil || price < 0 {
		return 0, errors.New("must be US dollars per million tokens, such as 0.40")
	}
	return price, nil
}

func parseList(s string) ([]string, error) {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items, nil
}

func parsePrefixes(s string) ([]netip.Prefix, error) {
	items, _ := parseList(s)
	prefixes := make([]netip.Prefix, len(items))
	for i, item := range items {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, errors.New("must be CIDRs such as 10.0.0.0/8, separated by commas")
		}
		prefixes[i] = prefix.Masked()
	}
	return prefixes, nil
}
