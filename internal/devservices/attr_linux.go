package devservices

import "syscall"

// serverAttr makes the kernel send sig to the server if its supervisor is killed.
func serverAttr(credential *syscall.Credential, sig syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: credential, Pdeathsig: sig}
}
