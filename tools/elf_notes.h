/* SPDX-License-Identifier: MIT */
/* elf_notes.h - what a preload reaches in a file, and what it doesn't */
#ifndef HRESV_TOOLS_ELF_NOTES_H
#define HRESV_TOOLS_ELF_NOTES_H

#include "tools/elf_read.h"

struct elf_note {
	const char *code;	/* for programs that read it */
	const char *text;
};

/* Writes at most @most notes, and returns how many there are. */
size_t elf_notes(const struct elf_facts *facts, struct elf_note *notes, size_t most);

/* Will LD_PRELOAD=libhresv.so be loaded into it (a program), or into who uses it? */
bool elf_is_reached(const struct elf_facts *facts);

/* "x86-64" and the like; "machine 243" for what has no name here. In static memory. */
const char *elf_machine_name(const struct elf_facts *facts);

#endif
