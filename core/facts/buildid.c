/* SPDX-License-Identifier: MIT */
/* buildid.c - notes, each a head, a name and a description; see buildid.h */
#include "core/facts/buildid.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

bool buildid_in_notes(struct span notes, size_t align, struct span *ret_id)
{
	const size_t mask = (align == 8 ? 8 : 4) - 1;
	ElfW(Nhdr) head;

	while (notes.bytes >= sizeof(head)) {
		memcpy(&head, notes.at, sizeof(head));

		const uint64_t name_end = sizeof(head) + (uint64_t)head.n_namesz;
		const uint64_t from = (name_end + mask) & ~(uint64_t)mask;
		const uint64_t next = (from + head.n_descsz + mask) & ~(uint64_t)mask;

		if (from + head.n_descsz > notes.bytes)
			return false;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && head.n_descsz &&
		    memcmp(notes.at + sizeof(head), "GNU", 4) == 0) {
			*ret_id = (struct span){ notes.at + from, head.n_descsz };
			return true;
		}
		if (next >= notes.bytes)
			return false;
		notes.at += next;
		notes.bytes -= next;
	}
	return false;
}

/* Only what a readable segment holds is looked at. */
static bool is_loaded(const ElfW(Phdr) *headers, size_t n, const ElfW(Phdr) *note)
{
	for (size_t i = 0; i < n; i++) {
		const ElfW(Phdr) *h = headers + i;

		if (h->p_type == PT_LOAD && (h->p_flags & PF_R) && note->p_vaddr >= h->p_vaddr &&
		    note->p_memsz <= h->p_filesz &&
		    note->p_vaddr - h->p_vaddr <= h->p_filesz - note->p_memsz)
			return true;
	}
	return false;
}

struct span buildid_self(void)
{
	const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	const size_t n = headers ? getauxval(AT_PHNUM) : 0;
	struct span id = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (headers[i].p_type != PT_PHDR)
			continue;

		const uintptr_t bias = (uintptr_t)headers - headers[i].p_vaddr;

		for (size_t k = 0; k < n; k++) {
			const ElfW(Phdr) *h = headers + k;
			const struct span notes = { (const char *)(bias + h->p_vaddr), h->p_memsz };

			if (h->p_type == PT_NOTE && is_loaded(headers, n, h) &&
			    buildid_in_notes(notes, h->p_align, &id))
				return id;
		}
	}
	return id;
}
