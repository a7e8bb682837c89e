// Package fanfare holds the domain: jobs and their states, campaigns and their
// content, events, audit records, users, and the errors that all parts speak.
//
// Everything else imports it and it imports nothing but the standard library.
// Where a part of the system needs something from another part in the terms of
// the domain (a model that writes content, for one), the interface stands here.
package fanfare
