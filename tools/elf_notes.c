/* SPDX-License-Identifier: MIT */
/* elf_notes.c - facts of a file, as what follows from them for libhresv */
#include "tools/elf_notes.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

static bool is_program(const struct elf_facts *f)
{
	return strcmp(f->kind, "program") == 0;
}

static bool is_other_libc(const struct elf_facts *f)
{
	return f->interpreter && strstr(f->interpreter, "ld-linux") == NULL;
}

bool elf_is_reached(const struct elf_facts *f)
{
	if (f->machine != MACHINE || !f->is_64)
		return false;
	if (strcmp(f->kind, "library") == 0)
		return true;
	return is_program(f) && f->interpreter && !is_other_libc(f) && !f->setuid && !f->setgid &&
	       !f->capabilities;
}

static bool needs(const struct elf_facts *f, const char *name)
{
	for (size_t i = 0; i < f->needed_n; i++)
		if (strncmp(f->needed[i], name, strlen(name)) == 0)
			return true;
	return false;
}

struct notes {
	struct elf_note *at;
	size_t n, most;
};

static void add(struct notes *to, bool applies, const char *code, const char *text)
{
	if (applies && to->n < to->most)
		to->at[to->n] = (struct elf_note){ code, text };
	to->n += applies;
}

static void add_reach(struct notes *to, const struct elf_facts *f)
{
	add(to, f->machine != MACHINE || !f->is_64, "other-machine",
	    "not of this machine's kind: this libhresv.so can't be loaded into it");
	add(to, is_program(f) && !f->interpreter, "static",
	    "static: no loader, so no preload; link it with libhresv-malloc.a");
	add(to, is_program(f) && is_other_libc(f), "other-libc",
	    "its loader is not glibc's: libhresv.so can't be loaded into it");
	add(to, f->setuid || f->setgid || f->capabilities, "privileged",
	    "setuid, setgid or with capabilities: the loader takes no preload, libhresv reads nothing");
	add(to, strcmp(f->kind, "library") == 0, "library",
	    "a library: its segments are remapped when HUGETLB_ELFLIBS names it");
	add(to, strcmp(f->kind, "object") == 0, "object", "not linked yet");
	add(to, strcmp(f->kind, "core") == 0, "core", "a core dump");
}

size_t elf_notes(const struct elf_facts *f, struct elf_note *notes, size_t most)
{
	struct notes to = { .at = notes, .most = most };

	add_reach(&to, f);
	add(&to, f->go, "go",
	    "Go: it makes its system calls itself; text and data can be huge, its heap can't");
	add(&to, f->allocator && !f->go && is_program(f), "allocator",
	    "has an allocator of its own: malloc stays that one, its large mappings become huge");
	add(&to, needs(f, "libjemalloc.so") || needs(f, "libtcmalloc") || needs(f, "libmimalloc"),
	    "allocator-library", "needs an allocator library: under a preload malloc is libhresv's");
	add(&to, needs(f, "libhugetlbfs.so"), "libhugetlbfs",
	    "needs libhugetlbfs, which acts on the same variables; put libhresv's in its place");
	add(&to, f->text_relocations, "text-relocations", "its text is changed by relocation");
	add(&to, f->executable_stack, "executable-stack", "asks for an executable stack");
	return to.n;
}

const char *elf_machine_name(const struct elf_facts *f)
{
	static char text[32];

	switch (f->machine) {
	case EM_X86_64:
		return f->is_64 ? "x86-64" : "x32";
	case EM_386:
		return "x86";
	case EM_AARCH64:
		return "aarch64";
	case EM_ARM:
		return "arm";
	case EM_RISCV:
		return "riscv";
	case EM_PPC64:
		return "ppc64";
	case EM_S390:
		return "s390";
	}
	snprintf(text, sizeof(text), "machine %u", f->machine);
	return text;
}
