package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"fanfare/config"
)

type userCommand struct {
	Create   userCreate   `cmd:"" help:"Create an account; the password is read from standard input."`
	List     userList     `cmd:"" help:"List all accounts."`
	Password userPassword `cmd:"" help:"Set an account's password, read from standard input."`
	Disable  userDisable  `cmd:"" help:"Lock an account out; its sessions and API keys end."`
}

type userCreate struct {
	Email string `required:"" help:"E-mail address."`
	Name  string `required:"" help:"Name."`
	Role  string `enum:"user,admin" default:"user" help:"user or admin."`
}

func (c userCreate) Run(ctx context.Context) error {
	p, err := process(config.Users)
	if err != nil {
		return err
	}
	password, err := readPassword()
	if err != nil {
		return err
	}
	return p.CreateUser(ctx, c.Name, c.Email, password, c.Role, os.Stdout)
}

type userList struct{}

func (userList) Run(ctx context.Context) error {
	p, err := process(config.Users)
	if err != nil {
		return err
	}
	return p.ListUsers(ctx, os.Stdout)
}

type userPassword struct {
	Email string `required:"" help:"Whose."`
}

func (c userPassword) Run(ctx context.Context) error {
	p, err := process(config.Users)
	if err != nil {
		return err
	}
	password, err := readPassword()
	if err != nil {
		return err
	}
	return p.SetPassword(ctx, c.Email, password, os.Stdout)
}

type userDisable struct {
	Email string `required:"" help:"Whom."`
}

func (c userDisable) Run(ctx context.Context) error {
	p, err := process(config.Users)
	if err != nil {
		return err
	}
	return p.DisableUser(ctx, c.Email, os.Stdout)
}

// readPassword reads one line, unseen where a person types it.
func readPassword() (string, error) {
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(os.Stderr, "Password: ")
		password, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		return string(password), err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if line == "" && err != nil {
		return "", fmt.Errorf("there is no password on standard input: type one, or pipe a line in (%w)", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
