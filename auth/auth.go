// Package auth holds what sign-in rests on: the rules for passwords, their
// hashes, the tokens of sessions, API keys and unsubscribe links, and e-mail
// addresses as names.
package auth

// Accounts knows the rules for the addresses and passwords of accounts. It has
// no state; it is a type so that others can ask for it by an interface.
type Accounts struct{}
