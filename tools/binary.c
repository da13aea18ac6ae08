/* SPDX-License-Identifier: MIT */
/* binary.c - heads, notes and symbols of an ELF file; see binary.h */
#include "tools/binary.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/facts/buildid.h"

/* No table of a real program is longer; a damaged head may say anything. */
#define TABLE_MAX ((uint64_t)1 << 29)
#define NOTES_MAX ((uint64_t)1 << 20)

struct file {
	int fd;
	uint64_t bytes;
	ElfW(Ehdr) head;
	ElfW(Shdr) *sections;
	size_t n_sections;
};

/* A part of the file in memory of its own, a zero byte behind it; NULL and *err. */
static void *part(const struct file *f, uint64_t from, uint64_t bytes, uint64_t most, int *err)
{
	char *to;
	uint64_t got = 0;

	if (bytes > most || from > f->bytes || bytes > f->bytes - from) {
		*err = -ENOEXEC;
		return NULL;
	}
	to = malloc(bytes + 1);
	if (!to) {
		*err = -ENOMEM;
		return NULL;
	}
	while (got < bytes) {
		ssize_t n = pread(f->fd, to + got, bytes - got, (off_t)(from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*err = n < 0 ? -errno : -ENOEXEC;
			free(to);
			return NULL;
		}
		got += (uint64_t)n;
	}
	to[bytes] = '\0';
	return to;
}

/* Both orders have e_type and e_machine at the same place. */
static uint16_t machine_of(const unsigned char *start)
{
	return start[EI_DATA] == ELFDATA2MSB ? (uint16_t)(start[18] << 8 | start[19]) :
					       (uint16_t)(start[19] << 8 | start[18]);
}

static int read_head(struct file *f, struct binary *b)
{
	const unsigned char data = BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
	int err = 0;
	unsigned char *start = part(f, 0, 20, 20, &err);
	ElfW(Ehdr) *head;

	if (!start)
		return err;
	if (memcmp(start, ELFMAG, SELFMAG) != 0) {
		free(start);
		return -ENOEXEC;
	}
	b->machine = machine_of(start);
	b->native = start[EI_CLASS] == ELFCLASS64 && start[EI_DATA] == data;
	free(start);
	if (!b->native)
		return 0;
	head = part(f, 0, sizeof(f->head), sizeof(f->head), &err);
	if (!head)
		return err;
	f->head = *head;
	free(head);
	return 0;
}

static void take_notes(const struct file *f, const ElfW(Phdr) *h, struct binary *b)
{
	struct span id;
	int err;
	char *notes = part(f, h->p_offset, h->p_filesz, NOTES_MAX, &err);

	if (!notes)
		return;

	const struct span all = { notes, h->p_filesz };

	if (!b->build_id_bytes && buildid_in_notes(all, h->p_align, &id) &&
	    id.bytes <= sizeof(b->build_id)) {
		memcpy(b->build_id, id.at, id.bytes);
		b->build_id_bytes = id.bytes;
	}
	/* Go's own build-id: a note named "Go". */
	if (memmem(notes, h->p_filesz, "Go\0", 4))
		b->go = true;
	free(notes);
}

static int read_segments(const struct file *f, struct binary *b)
{
	const uint64_t bytes = (uint64_t)f->head.e_phnum * sizeof(ElfW(Phdr));
	int err = 0;
	ElfW(Phdr) *all;

	if (f->head.e_phentsize != sizeof(ElfW(Phdr)))
		return -ENOEXEC;
	all = part(f, f->head.e_phoff, bytes, bytes, &err);
	if (!all)
		return err;
	for (size_t i = 0; i < f->head.e_phnum; i++) {
		if (all[i].p_type == PT_INTERP && !b->interpreter)
			b->interpreter = part(f, all[i].p_offset, all[i].p_filesz, 4096, &err);
		else if (all[i].p_type == PT_NOTE)
			take_notes(f, &all[i], b);
		else if (all[i].p_type == PT_LOAD)
			*(all[i].p_flags & PF_W ? &b->data_bytes : &b->text_bytes) += all[i].p_memsz;
	}
	free(all);
	return err;
}

/* Whose malloc a symbol or a text of its belongs to; NULL: nobody's. */
static const char *allocator_of(const char *name, bool exported)
{
	static const char *const known[][2] = {
		{ "je_malloc", "jemalloc" }, { "_rjem_malloc", "jemalloc" },
		{ "mi_malloc", "mimalloc" }, { "tc_malloc", "tcmalloc" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i][0]) == 0)
			return known[i][1];
	return exported && strcmp(name, "malloc") == 0 ? "malloc" : NULL;
}

static void take_symbols(const struct file *f, const ElfW(Shdr) *s, struct binary *b)
{
	const bool exported = s->sh_type == SHT_DYNSYM;
	ElfW(Sym) *symbols = NULL;
	char *names = NULL;
	int err;

	if (s->sh_link >= f->n_sections)
		return;
	symbols = part(f, s->sh_offset, s->sh_size, TABLE_MAX, &err);
	if (symbols)
		names = part(f, f->sections[s->sh_link].sh_offset, f->sections[s->sh_link].sh_size,
			     TABLE_MAX, &err);
	for (size_t i = 0; names && i < s->sh_size / sizeof(ElfW(Sym)); i++) {
		const unsigned type = ELF64_ST_TYPE(symbols[i].st_info);
		const char *who;

		if (symbols[i].st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    symbols[i].st_name >= f->sections[s->sh_link].sh_size)
			continue;
		who = allocator_of(names + symbols[i].st_name, exported);
		b->ours |= strcmp(names + symbols[i].st_name, "hresv_jemalloc_hooks") == 0;
		/* A name of its own says more than "malloc". */
		if (who && (!b->allocator || strcmp(b->allocator, "malloc") == 0))
			b->allocator = who;
	}
	free(symbols);
	free(names);
}

/* A stripped program has no names left, but the texts of its allocator's messages. */
static void take_texts(const struct file *f, const ElfW(Shdr) *s, struct binary *b)
{
	static const char *const known[][2] = { { "<jemalloc>: ", "jemalloc" },
						{ "mimalloc: ", "mimalloc" },
						{ "tcmalloc: ", "tcmalloc" } };
	int err;
	char *text = part(f, s->sh_offset, s->sh_size, TABLE_MAX, &err);

	for (size_t i = 0; text && !b->allocator && i < sizeof(known) / sizeof(known[0]); i++)
		if (memmem(text, s->sh_size, known[i][0], strlen(known[i][0])))
			b->allocator = known[i][1];
	free(text);
}

static bool is_rodata(const char *names, uint64_t names_bytes, const ElfW(Shdr) *s)
{
	return s->sh_type == SHT_PROGBITS && s->sh_name < names_bytes &&
	       strcmp(names + s->sh_name, ".rodata") == 0;
}

/* Section heads are a convenience of linkers: without them nothing is wrong. */
static void read_sections(struct file *f, struct binary *b)
{
	const ElfW(Ehdr) *h = &f->head;
	const uint64_t bytes = (uint64_t)h->e_shnum * sizeof(ElfW(Shdr));
	char *names;
	int err;

	if (!h->e_shnum || h->e_shentsize != sizeof(ElfW(Shdr)) || h->e_shstrndx >= h->e_shnum)
		return;
	f->sections = part(f, h->e_shoff, bytes, bytes, &err);
	if (!f->sections)
		return;
	f->n_sections = h->e_shnum;

	const ElfW(Shdr) *n = &f->sections[h->e_shstrndx];

	for (size_t i = 0; i < f->n_sections; i++)
		if (f->sections[i].sh_type == SHT_DYNSYM || f->sections[i].sh_type == SHT_SYMTAB)
			take_symbols(f, &f->sections[i], b);
	names = part(f, n->sh_offset, n->sh_size, TABLE_MAX, &err);
	for (size_t i = 0; names && i < f->n_sections; i++)
		if (is_rodata(names, n->sh_size, &f->sections[i]))
			take_texts(f, &f->sections[i], b);
	if (b->ours)	/* linked with libhresv-malloc.a */
		b->allocator = NULL;
	free(names);
	free(f->sections);
}

int binary_read(int fd, struct binary *ret_binary)
{
	struct file f = { .fd = fd };
	struct stat st;
	int err;

	*ret_binary = (struct binary){ 0 };
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	f.bytes = (uint64_t)st.st_size;
	err = read_head(&f, ret_binary);
	if (err || !ret_binary->native)
		return err;
	err = read_segments(&f, ret_binary);
	if (!err)
		read_sections(&f, ret_binary);
	return err;
}

void binary_free(struct binary *b)
{
	free(b->interpreter);
	*b = (struct binary){ 0 };
}

uint16_t binary_own_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#else
	return EM_NONE;
#endif
}

const char *binary_machine_name(uint16_t machine)
{
	static char number[24];

	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_AARCH64:
		return "aarch64";
	case EM_386:
		return "i386";
	case EM_ARM:
		return "arm";
	case EM_PPC64:
		return "ppc64";
	case EM_RISCV:
		return "riscv";
	case EM_S390:
		return "s390x";
	default:
		snprintf(number, sizeof(number), "machine %u", machine);
		return number;
	}
}
