package api

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fanfare"
)

type userStore interface {
	CreateUser(ctx context.Context, user fanfare.User) (fanfare.User, error)
	UserByEmail(ctx context.Context, email string) (fanfare.User, error)
	Rehash(ctx context.Context, userID, oldHash, newHash string) error
	CreateSession(ctx context.Context, user fanfare.User, digest []byte, lifetime time.Duration) (fanfare.Session, error)
	DeleteSession(ctx context.Context, id string) error
}

// Passwords hashes and checks passwords.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error)
	// VerifyNobody takes the time of Verify, for an address that is unknown.
	VerifyNobody(ctx context.Context, password string) error
}

// Tokens makes and digests the secrets of sessions and API keys.
type Tokens interface {
	NewSession() (token string, digest []byte)
	NewKey() (key string, digest []byte)
	SessionDigest(token string) []byte
	KeyDigest(key string) []byte
	BodyDigest(body []byte) []byte
	ReadUnsubscribe(token string) (userID, channel, address string, ok bool)
}

// Accounts knows the rules for addresses and passwords.
type Accounts interface {
	NormalizeEmail(address string) (string, error)
	CheckPassword(password, name, email string) error
	RateLimitKey(email string) string
}

// sessionLifetime is how long a browser stays signed in.
const sessionLifetime = 30 * 24 * time.Hour

type registerInput struct {
	Body struct {
		Name     string `json:"name" doc:"2 to 100 characters"`
		Email    string `json:"email" maxLength:"1000"`
		Password string `json:"password" doc:"8 to 100 characters, with an upper-case and a lower-case letter, a digit and something else; not a common one"`
	}
}

// Account is a user as they see themselves.
type Account struct {
	ID        string       `json:"id" format:"uuid"`
	Name      string       `json:"name"`
	Email     string       `json:"email"`
	Role      fanfare.Role `json:"role,omitempty" enum:"user,admin"`
	CreatedAt time.Time    `json:"createdAt"`
}

type registerOutput struct{ Body Account }

func (s *Server) register(ctx context.Context, in *registerInput) (*registerOutput, error) {
	email, err := s.Accounts.NormalizeEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	if err := s.countEmail(ctx, email); err != nil {
		return nil, err
	}
	name, err := label("name", in.Body.Name, 2)
	if err != nil {
		return nil, err
	}
	if err := s.Accounts.CheckPassword(in.Body.Password, name, email); err != nil {
		return nil, err
	}
	hash, err := s.Passwords.Hash(ctx, in.Body.Password)
	if err != nil {
		return nil, err
	}
	var user fanfare.User
	err = s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		user, err = s.Store.CreateUser(ctx, fanfare.User{Name: name, Email: email, PasswordHash: hash, Role: fanfare.RoleUser})
		if err != nil {
			return err
		}
		record := audited(ctx, fanfare.ActionUserRegister, user.ID, nil)
		record.UserID = user.ID
		return s.Store.Audit(ctx, record)
	})
	if err != nil {
		return nil, err
	}
	return &registerOutput{Body: Account{ID: user.ID, Name: user.Name, Email: user.Email, CreatedAt: user.CreatedAt}}, nil
}

type loginInput struct {
	Body struct {
		Email    string `json:"email" maxLength:"1000"`
		Password string `json:"password" maxLength:"1000"`
	}
}

// SignedIn says who is signed in and until when.
type SignedIn struct {
	User    *Account   `json:"user,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

type loginOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      SignedIn
}

func (s *Server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	email, err := s.Accounts.NormalizeEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	if err := s.countEmail(ctx, email); err != nil {
		return nil, err
	}
	user, rehash, err := s.checkPassword(ctx, email, in.Body.Password)
	if err != nil {
		return nil, err
	}
	token, digest := s.Tokens.NewSession()
	var session fanfare.Session
	old := requestFrom(ctx).identity
	err = s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		if old != nil && old.Session != nil { // this browser's: it gets another
			if err := s.Store.DeleteSession(ctx, old.Session.ID); err != nil {
				return err
			}
		}
		if session, err = s.Store.CreateSession(ctx, user, digest, sessionLifetime); err != nil {
			return err
		}
		return s.auditLogin(ctx, user.ID, fanfare.AuditSuccess)
	})
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound { // the password was changed while it was checked
		return nil, s.refuseLogin(ctx, user.ID)
	}
	if err != nil {
		return nil, err
	}
	if rehash {
		s.rehash(ctx, user, in.Body.Password)
	}
	return &loginOutput{
		SetCookie: s.cookie(token, session.ExpiresAt),
		Body:      SignedIn{User: account(user), Expires: &session.ExpiresAt},
	}, nil
}

// checkPassword answers the same, after the same time, for an address that
// nobody has and for a wrong password.
func (s *Server) checkPassword(ctx context.Context, email, password string) (user fanfare.User, rehash bool, err error) {
	user, err = s.Store.UserByEmail(ctx, email)
	known := err == nil && !user.Disabled
	var ok bool
	switch {
	case known:
		ok, rehash, err = s.Passwords.Verify(ctx, user.PasswordHash, password)
	case err == nil || fanfare.ErrorCode(err) == fanfare.CodeNotFound:
		err = s.Passwords.VerifyNobody(ctx, password)
	}
	if err != nil {
		return user, false, err
	}
	if !ok {
		return user, false, s.refuseLogin(ctx, user.ID)
	}
	return user, rehash, nil
}

func (s *Server) refuseLogin(ctx context.Context, userID string) error {
	if err := s.auditLogin(ctx, userID, fanfare.AuditFailure); err != nil {
		return err
	}
	return fanfare.Errorf(fanfare.CodeUnauthorized, "The e-mail address or the password is wrong.")
}

// rehash keeps a hash up to date with today's parameters. It may fail: the
// next login tries again.
func (s *Server) rehash(ctx context.Context, user fanfare.User, password string) {
	hash, err := s.Passwords.Hash(ctx, password)
	if err == nil {
		err = s.Store.Rehash(ctx, user.ID, user.PasswordHash, hash)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "a password could not be hashed anew", "error", err)
	}
}

func (s *Server) auditLogin(ctx context.Context, userID string, status fanfare.AuditStatus) error {
	record := audited(ctx, fanfare.ActionUserLogin, userID, nil)
	record.UserID, record.Status = userID, status
	return s.Store.Audit(ctx, record)
}

type sessionOutput struct{ Body SignedIn }

func (s *Server) session(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
	identity := requestFrom(ctx).identity
	if identity == nil {
		return &sessionOutput{}, nil
	}
	out := &sessionOutput{Body: SignedIn{User: account(identity.User)}}
	if identity.Session != nil {
		out.Body.Expires = &identity.Session.ExpiresAt
	}
	return out, nil
}

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *Server) logout(ctx context.Context, _ *struct{}) (*logoutOutput, error) {
	identity := requestFrom(ctx).identity
	if identity != nil && identity.Session != nil {
		err := s.Store.Atomic(ctx, func(ctx context.Context) error {
			if err := s.Store.DeleteSession(ctx, identity.Session.ID); err != nil {
				return err
			}
			return s.Store.Audit(ctx, audited(ctx, fanfare.ActionUserLogout, identity.User.ID, nil))
		})
		if err != nil {
			return nil, err
		}
	}
	gone := s.cookie("", time.Unix(1, 0))
	gone.MaxAge = -1
	return &logoutOutput{SetCookie: gone}, nil
}

func (s *Server) cookie(value string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.config.SecureCookies,
	}
}

// label checks a name that people give to something, folding white space. It
// may be shown in a line of text, so it has no control characters.
func label(field, text string, least int) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	if n := utf8.RuneCountInString(text); n < least || n > labelMax {
		return "", fanfare.Invalid(field, "must have %d to %d characters", least, labelMax)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", fanfare.Invalid(field, "must not contain control characters")
	}
	return text, nil
}

const labelMax = 100

func account(u fanfare.User) *Account {
	return &Account{ID: u.ID, Name: u.Name, Email: u.Email, Role: u.Role, CreatedAt: u.CreatedAt}
}
