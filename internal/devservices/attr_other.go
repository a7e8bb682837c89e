//go:build !linux

package devservices

import "syscall"

// serverAttr can't tie the server to its supervisor here; only Linux can.
func serverAttr(credential *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: credential}
}
