package connector

import "net/url"

// WrongURL is the Rule of a server that users name: an address without user
// name, query or fragment, and with TLS unless private hosts are allowed.
func (o Outside) WrongURL(value string) string {
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "must be an address such as https://example.com"
	case u.Scheme != "https" && (u.Scheme != "http" || !o.AllowPrivate):
		return "must begin with https://"
	default:
		return ""
	}
}
