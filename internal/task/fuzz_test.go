//go:build !js

package task

import "testing"

func FuzzWalk(f *testing.F) {
	f.Add([]byte{4, 1, 7, 0, 0, 1, 0, 3, 9, 7, 8, 3, 9, 6, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 3, 200, 3, 200, 7, 8, 8, 0, 0, 0, 6, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 2_000 {
			t.Skip("long programs find no more")
		}
		walk(t, program)
	})
}
