package relay

import (
	"syscall"
	"unsafe"
)

// rawIO says that tryRead and tryWrite work here.
const rawIO = true

// tryRead and tryWrite are read(2) and write(2) on a non-blocking socket, for p that is not empty. They skip what the
// runtime does around a call that may block, which wakes its watchdog thread: a fifth of the relay's CPU at small messages.

func tryRead(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}

func tryWrite(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}
