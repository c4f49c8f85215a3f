// Package wasm is the one of cmd/link that writes WebAssembly modules. This file is compiled into a copy of it.
package wasm

import (
	"bytes"
	"cmd/internal/objabi"
	"cmd/link/internal/ld"
	"cmd/link/internal/loader"
	"cmd/link/internal/sym"
	"fmt"
	"os"
)

// writeMap writes what the linker knows about the module to the file named by the environment variable LINKMAP.
// There is one line for each section, function and datum, with tabs between its fields:
//
//	S  address  size  name
//	F  index    name  references
//	D  address  size  name  references
//
// A reference is "offset=address" or, for the offsets of 32 bits that types hold, "offset~address". The offset is
// that of the reference in the datum; in a function it only gives the order.
func writeMap(ctxt *ld.Link, ldr *loader.Loader) {
	name := os.Getenv("LINKMAP")
	if name == "" {
		return
	}
	var b bytes.Buffer
	for _, segment := range []*sym.Segment{&ld.Segrodata, &ld.Segrelrodata, &ld.Segtext, &ld.Segdata} {
		for _, section := range segment.Sections {
			fmt.Fprintf(&b, "S\t%d\t%d\t%s\n", section.Vaddr, section.Length, section.Name)
		}
	}
	for i, s := range ctxt.Textp {
		fmt.Fprintf(&b, "F\t%d\t%s\t", i, ldr.SymName(s))
		writeReferences(&b, ctxt, ldr, s)
	}
	for s := loader.Sym(1); s < loader.Sym(ldr.NSym()); s++ {
		if ldr.AttrReachable(s) && ldr.SymSect(s) != nil && ldr.SymSize(s) != 0 && !ldr.SymType(s).IsText() {
			fmt.Fprintf(&b, "D\t%d\t%d\t%s\t", ldr.SymValue(s), ldr.SymSize(s), ldr.SymName(s))
			writeReferences(&b, ctxt, ldr, s)
		}
	}
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		ldr.Errorf(0, "writing the link map: %v", err)
	}
}

// writeReferences writes the references of s and ends the line. A kind of reference that it does not know is an
// error: nobody could say what the symbol reaches.
func writeReferences(b *bytes.Buffer, ctxt *ld.Link, ldr *loader.Loader, s loader.Sym) {
	relocs := ldr.Relocs(s)
	for i := range relocs.Count() {
		r := relocs.At(i)
		if r.Siz() == 0 || r.Sym() == 0 {
			continue // a mark for the linker: nothing is written in its place
		}
		switch r.Type() {
		case objabi.R_ADDR:
			fmt.Fprintf(b, " %d=%d", r.Off(), ldr.SymValue(r.Sym())+r.Add())
		case objabi.R_ADDROFF, objabi.R_METHODOFF:
			fmt.Fprintf(b, " %d~%d", r.Off(), ldr.SymValue(r.Sym())+r.Add())
		case objabi.R_CALL, objabi.R_WASMIMPORT:
			// The module itself has these.
		default:
			ldr.Errorf(s, "the link map knows no reference of kind %s", sym.RelocName(ctxt.Arch, r.Type()))
		}
	}
	b.WriteByte('\n')
}
