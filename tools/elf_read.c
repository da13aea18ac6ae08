/* SPDX-License-Identifier: MIT */
/*
 * elf_read.c - headers, segments, the dynamic section, symbols, by libelf
 *
 * Pitfalls.
 * 1. Files can be truncated while they are read: nothing is mapped, and everything
 *    is asked for by offset and size, which libelf holds against the file's own.
 * 2. Section headers may be stripped, or lie. What the loader would do is read from
 *    the program headers; sections are good for symbols only.
 */
#include "tools/elf_read.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/elf_pages.h"
#include "tools/elf_symbols.h"

#define SEGMENTS_MOST 65536
#define NEEDED_MOST 4096
#define TEXT_MOST 65536

struct reader {
	Elf *elf;
	struct elf_facts *facts;
	size_t headers;
	bool named;		/* DT_SONAME: a library, though it may have an interpreter */
	const char *wrong;
};

static bool fits(const struct elf_facts *f, uint64_t offset, uint64_t bytes)
{
	return offset <= f->file_bytes && bytes <= f->file_bytes - offset;
}

/* @bytes at @offset, as they are; NULL: not in the file. */
static const char *raw(struct reader *r, uint64_t offset, uint64_t bytes)
{
	Elf_Data *d = NULL;

	if (bytes && fits(r->facts, offset, bytes))
		d = elf_getdata_rawchunk(r->elf, (int64_t)offset, bytes, ELF_T_BYTE);
	return d ? d->d_buf : NULL;
}

static char *copy_text(const char *at, size_t most)
{
	size_t n = strnlen(at, most);

	return n < most ? strndup(at, n) : NULL;
}

/* Where the loader would find @vaddr in the file; false: nowhere. */
static bool offset_of(const struct elf_facts *f, uint64_t vaddr, uint64_t *ret_offset,
		      uint64_t *ret_left)
{
	for (size_t i = 0; i < f->segments_n; i++) {
		const struct elf_segment *s = &f->segments[i];

		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_bytes)
			continue;
		*ret_offset = s->offset + (vaddr - s->vaddr);
		*ret_left = s->file_bytes - (vaddr - s->vaddr);
		return true;
	}
	return false;
}

static void read_interpreter(struct reader *r, const GElf_Phdr *p)
{
	const char *at = raw(r, p->p_offset, p->p_filesz);

	if (!at || p->p_filesz > TEXT_MOST)
		r->wrong = "its interpreter lies outside the file";
	else if (!r->facts->interpreter)
		r->facts->interpreter = copy_text(at, p->p_filesz);
}

static void read_notes(struct reader *r, const GElf_Phdr *p)
{
	Elf_Data *d = NULL;
	size_t name, desc;
	GElf_Nhdr note;

	if (p->p_filesz && fits(r->facts, p->p_offset, p->p_filesz))
		d = elf_getdata_rawchunk(r->elf, (int64_t)p->p_offset, p->p_filesz,
					 p->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	for (size_t at = 0; d && (at = gelf_getnote(d, at, &note, &name, &desc)) > 0;) {
		const unsigned char *id = (unsigned char *)d->d_buf + desc;

		if (note.n_namesz == 3 && strcmp((char *)d->d_buf + name, "Go") == 0)
			r->facts->go = true;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || r->facts->build_id ||
		    memcmp((char *)d->d_buf + name, "GNU", 4) != 0 || note.n_descsz > 64)
			continue;
		r->facts->build_id = calloc(note.n_descsz + 1, 2);
		for (size_t i = 0; r->facts->build_id && i < note.n_descsz; i++)
			sprintf(r->facts->build_id + 2 * i, "%02x", id[i]);
	}
}

static void add_segment(struct reader *r, size_t index, const GElf_Phdr *p, const GElf_Ehdr *eh)
{
	struct elf_facts *f = r->facts;
	const uint64_t header = eh->e_phoff + index * eh->e_phentsize;

	if (!fits(f, p->p_offset, p->p_filesz))
		r->wrong = "truncated: a segment ends behind the end of the file";
	if (p->p_filesz > p->p_memsz)
		r->wrong = "damaged: a segment is longer in the file than in memory";
	f->segments[f->segments_n++] = (struct elf_segment){
		.index = (unsigned)index,
		.offset = p->p_offset,
		.vaddr = p->p_vaddr,
		.file_bytes = p->p_filesz,
		.memory_bytes = p->p_memsz,
		.align = p->p_align ? p->p_align : 1,
		.flags = p->p_flags,
		.flags_at = header + (f->is_64 ? offsetof(Elf64_Phdr, p_flags) :
				      offsetof(Elf32_Phdr, p_flags)),
	};
}

static void read_relro(struct elf_facts *f, const GElf_Phdr *p)
{
	f->relro = true;
	for (size_t i = 0; i < f->segments_n; i++) {
		struct elf_segment *s = &f->segments[i];

		if (p->p_vaddr >= s->vaddr && p->p_vaddr - s->vaddr < s->memory_bytes)
			s->relro_bytes = p->p_memsz > s->memory_bytes ? s->memory_bytes :
					 p->p_memsz;
	}
}

static void read_header(struct reader *r, size_t i, const GElf_Ehdr *eh)
{
	GElf_Phdr p;

	if (!gelf_getphdr(r->elf, (int)i, &p)) {
		r->wrong = "truncated: its program headers are not all there";
		return;
	}
	switch (p.p_type) {
	case PT_LOAD:
		add_segment(r, i, &p, eh);
		break;
	case PT_INTERP:
		read_interpreter(r, &p);
		break;
	case PT_NOTE:
		read_notes(r, &p);
		break;
	case PT_DYNAMIC:
		r->facts->dynamic = true;
		break;
	case PT_GNU_STACK:
		r->facts->executable_stack = p.p_flags & PF_X;
		break;
	case PT_GNU_RELRO:
		read_relro(r->facts, &p);
		break;
	}
}

static void add_needed(struct reader *r, uint64_t strings, uint64_t name)
{
	struct elf_facts *f = r->facts;
	uint64_t offset, left;
	const char *at;
	char **more;

	if (f->needed_n == NEEDED_MOST || !offset_of(f, strings, &offset, &left) || name >= left)
		return;
	left -= name;
	at = raw(r, offset + name, left < TEXT_MOST ? left : TEXT_MOST);
	more = at ? reallocarray(f->needed, f->needed_n + 1, sizeof(*more)) : NULL;
	if (!more)
		return;
	f->needed = more;
	f->needed[f->needed_n] = copy_text(at, left < TEXT_MOST ? left : TEXT_MOST);
	if (f->needed[f->needed_n])
		f->needed_n++;
}

static void read_dynamic(struct reader *r, const GElf_Phdr *p)
{
	Elf_Data *d = NULL;
	uint64_t strings = 0;
	GElf_Dyn dyn;

	if (p->p_filesz && fits(r->facts, p->p_offset, p->p_filesz))
		d = elf_getdata_rawchunk(r->elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_DYN);
	if (!d)
		return;
	for (int i = 0; gelf_getdyn(d, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_STRTAB)
			strings = dyn.d_un.d_ptr;
		if (dyn.d_tag == DT_SONAME)
			r->named = true;
		if (dyn.d_tag == DT_TEXTREL || (dyn.d_tag == DT_FLAGS && dyn.d_un.d_val & DF_TEXTREL))
			r->facts->text_relocations = true;
		if (dyn.d_tag == DT_FLAGS_1 && dyn.d_un.d_val & DF_1_PIE)
			r->facts->pie = true;
	}
	for (int i = 0; gelf_getdyn(d, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		if (dyn.d_tag == DT_NEEDED)
			add_needed(r, strings, dyn.d_un.d_val);
}

/* The dynamic section's strings are found by address, so segments come first. */
static void read_headers(struct reader *r, const GElf_Ehdr *eh)
{
	GElf_Phdr p;

	r->facts->segments = calloc(r->headers + 1, sizeof(*r->facts->segments));
	if (!r->facts->segments) {
		r->wrong = "out of memory";
		return;
	}
	for (size_t i = 0; i < r->headers && !r->wrong; i++)
		read_header(r, i, eh);
	for (size_t i = 0; i < r->headers && !r->wrong; i++)
		if (gelf_getphdr(r->elf, (int)i, &p) && p.p_type == PT_DYNAMIC)
			read_dynamic(r, &p);
}

static void name_kind(struct elf_facts *f, const GElf_Ehdr *eh, bool named)
{
	const char *kind = "object";

	if (eh->e_type == ET_EXEC ||
	    (eh->e_type == ET_DYN && (f->pie || (f->interpreter && !named))))
		kind = "program";
	else if (eh->e_type == ET_DYN)
		kind = "library";
	else if (eh->e_type == ET_CORE)
		kind = "core";
	f->fixed = eh->e_type == ET_EXEC;
	f->pie = eh->e_type == ET_DYN && strcmp(kind, "program") == 0;
	strcpy(f->kind, kind);
}

static void read_all(struct reader *r, uint64_t page_bytes)
{
	struct elf_facts *f = r->facts;
	GElf_Ehdr eh;

	if (elf_kind(r->elf) != ELF_K_ELF) {
		r->wrong = elf_kind(r->elf) == ELF_K_AR ? "an archive, not a program" :
			   "not an ELF file";
		return;
	}
	if (!gelf_getehdr(r->elf, &eh) || elf_getphdrnum(r->elf, &r->headers) != 0) {
		r->wrong = "truncated: its headers are not all there";
		return;
	}
	f->is_64 = gelf_getclass(r->elf) == ELFCLASS64;
	f->big_endian = eh.e_ident[EI_DATA] == ELFDATA2MSB;
	f->machine = eh.e_machine;
	if (r->headers > SEGMENTS_MOST ||
	    (r->headers && eh.e_phentsize != gelf_fsize(r->elf, ELF_T_PHDR, 1, EV_CURRENT)))
		r->wrong = "damaged: its program headers are of no known form";
	if (!r->wrong)
		read_headers(r, &eh);
	if (r->wrong)
		return;
	name_kind(f, &eh, r->named);
	f->allocator = elf_symbols_allocator(r->elf);
	elf_pages_count(f, page_bytes);
}

static const char *read_file(int fd, const char *path, uint64_t page_bytes, struct elf_facts *f)
{
	struct reader r = { .facts = f };
	struct stat st;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? "a directory" : "not a regular file";
	f->mode = st.st_mode;
	f->setuid = st.st_mode & S_ISUID;
	f->setgid = (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP);
	f->file_bytes = (uint64_t)st.st_size;
	f->capabilities = getxattr(path, "security.capability", NULL, 0) > 0;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return "libelf is too old";
	r.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!r.elf)
		return "not an ELF file";
	read_all(&r, page_bytes);
	elf_end(r.elf);
	return r.wrong;
}

int elf_read(const char *path, uint64_t page_bytes, struct elf_facts *ret_facts,
	     const char **ret_what)
{
	/* O_NONBLOCK: a fifo must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*ret_facts = (struct elf_facts){ 0 };
	*ret_what = fd < 0 ? strerror(errno) : read_file(fd, path, page_bytes, ret_facts);
	if (fd >= 0)
		close(fd);
	if (!*ret_what)
		return 0;
	elf_free(ret_facts);
	return -1;
}

void elf_free(struct elf_facts *f)
{
	for (size_t i = 0; i < f->needed_n; i++)
		free(f->needed[i]);
	free(f->needed);
	free(f->interpreter);
	free(f->build_id);
	free(f->segments);
	*f = (struct elf_facts){ 0 };
}
