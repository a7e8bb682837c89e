package fanfare

import "time"

// Role says what a user may see beside their own things.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// User is an account. PasswordHash never leaves the server.
type User struct {
	ID           string
	Name         string
	Email        string // lower case
	PasswordHash string
	Role         Role
	Disabled     bool
	CreatedAt    time.Time
	// BrandVersion counts the changes of the user's brand kits.
	BrandVersion int64
}

// Session is a signed-in browser. Only a digest of its token is stored.
type Session struct {
	ID        string
	UserID    string
	ExpiresAt time.Time
}

// APIKey lets a program act for a user. Only a digest of the key is stored.
type APIKey struct {
	ID         string     `json:"id" format:"uuid"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt" doc:"To the minute; null if it was never used"`
}

// Identity is who makes a request: a user, by a session or an API key.
type Identity struct {
	User    User
	Session *Session // nil where an API key was used
	KeyID   string   // "" where a session was used
}
