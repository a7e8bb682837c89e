package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"fanfare"
	"fanfare/auth"
	"fanfare/store"
)

// CreateUser makes an account from the command line.
func (p Process) CreateUser(ctx context.Context, name, email, password, role string, out io.Writer) error {
	return p.withStore(ctx, func(db *store.Store) error {
		email, err := auth.Accounts{}.NormalizeEmail(email)
		if err != nil {
			return sentence(err)
		}
		name = strings.TrimSpace(name)
		if n := utf8.RuneCountInString(name); n < 2 || n > 100 {
			return fmt.Errorf("the name must have 2 to 100 characters")
		}
		hash, err := hashed(ctx, password, name, email)
		if err != nil {
			return err
		}
		var user fanfare.User
		err = db.Atomic(ctx, func(ctx context.Context) (err error) {
			user, err = db.CreateUser(ctx, fanfare.User{Name: name, Email: email, PasswordHash: hash, Role: fanfare.Role(role)})
			if err != nil {
				return err
			}
			return db.Audit(ctx, byOperator(fanfare.ActionUserRegister, user.ID))
		})
		if err != nil {
			return sentence(err)
		}
		_, _ = fmt.Fprintf(out, "Created %s (%s), %s.\n", user.Email, user.Role, user.ID)
		return nil
	})
}

// ListUsers lists every account on out.
func (p Process) ListUsers(ctx context.Context, out io.Writer) error {
	return p.withStore(ctx, func(db *store.Store) error {
		users, err := db.Users(ctx)
		for _, u := range users {
			state := ""
			if u.Disabled {
				state = " (disabled)"
			}
			_, _ = fmt.Fprintf(out, "%s  %-5s  %s  %s%s\n", u.ID, u.Role, u.Email, u.Name, state)
		}
		return err
	})
}

// SetPassword gives an account a new password and signs it out everywhere.
func (p Process) SetPassword(ctx context.Context, email, password string, out io.Writer) error {
	user, err := p.changeUser(ctx, email, func(ctx context.Context, db *store.Store, user fanfare.User) error {
		hash, err := hashed(ctx, password, user.Name, user.Email)
		if err != nil {
			return err
		}
		if err := db.SetPassword(ctx, user.ID, hash); err != nil {
			return err
		}
		return db.Audit(ctx, byOperator(fanfare.ActionUserPassword, user.ID))
	})
	if err != nil {
		return err
	}
	then := "is signed out everywhere; API keys still work"
	if user.Disabled {
		then = "stays locked out"
	}
	_, _ = fmt.Fprintf(out, "%s has a new password and %s.\n", user.Email, then)
	return nil
}

// DisableUser locks an account; its sessions and API keys end.
func (p Process) DisableUser(ctx context.Context, email string, out io.Writer) error {
	var left []fanfare.User
	user, err := p.changeUser(ctx, email, func(ctx context.Context, db *store.Store, user fanfare.User) (err error) {
		if err := db.DisableUser(ctx, user.ID); err != nil {
			return err
		}
		if left, err = db.Users(ctx); err != nil {
			return err
		}
		return db.Audit(ctx, byOperator(fanfare.ActionUserDisable, user.ID))
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s is locked out.\n", user.Email)
	if user.Role == fanfare.RoleAdmin && !slices.ContainsFunc(left, isAdmin) {
		_, _ = fmt.Fprintln(out, "No admin is left: make one with `fanfare user create --role admin`, at another address.")
	}
	return nil
}

func isAdmin(u fanfare.User) bool { return u.Role == fanfare.RoleAdmin && !u.Disabled }

func (p Process) withStore(ctx context.Context, do func(*store.Store) error) error {
	db, err := store.Open(ctx, p.Config.DatabaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
}

// changeUser does something to the user with an address, in one transaction.
func (p Process) changeUser(ctx context.Context, email string, do func(context.Context, *store.Store, fanfare.User) error) (user fanfare.User, err error) {
	err = p.withStore(ctx, func(db *store.Store) error {
		email, err := auth.Accounts{}.NormalizeEmail(email)
		if err != nil {
			return sentence(err)
		}
		return db.Atomic(ctx, func(ctx context.Context) (err error) {
			user, err = db.UserByEmail(ctx, email)
			if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
				return fmt.Errorf("nobody has the address %s: see `fanfare user list`", email)
			}
			if err != nil {
				return err
			}
			return do(ctx, db, user)
		})
	})
	return user, err
}

func hashed(ctx context.Context, password, name, email string) (string, error) {
	if err := (auth.Accounts{}).CheckPassword(password, name, email); err != nil {
		return "", sentence(err)
	}
	return auth.NewHasher().Hash(ctx, password)
}

func byOperator(action, userID string) fanfare.AuditRecord {
	return fanfare.AuditRecord{
		UserID: userID, Action: action, Resource: userID,
		Origin: fanfare.Origin{UserAgent: "fanfare user (command line)"},
	}
}
