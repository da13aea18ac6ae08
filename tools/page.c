/* SPDX-License-Identifier: MIT */
/* page.c - see page.h */
#include "tools/page.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/act/pagemap.h"
#include "tools/proc.h"
#include "tools/smaps.h"

/* No linker makes more of them; a hostile header may claim to. */
#define PHDRS_MOST 1024
#define NOTES_MOST (1u << 20)

static int open_memory(pid_t pid)
{
	char *path;
	int fd, err;

	if (asprintf(&path, "%s/proc/%d/mem", proc_root(), (int)pid) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = errno;
	free(path);
	return fd >= 0 ? fd : -err;
}

/* 0, or -EFAULT where less than all of it is there. */
static int copy(int fd, uint64_t at, void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = at + done > INT64_MAX ? -1 :
			    pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static size_t padded(uint32_t bytes)
{
	return ((size_t)bytes + 3) & ~(size_t)3;
}

/* Our note among those of one segment at @at; 0 and *ret_page, or -ENXIO. */
static int find_note(const unsigned char *notes, size_t bytes, uint64_t at, uint64_t *ret_page)
{
	Elf64_Nhdr head;
	size_t pos = 0;

	while (bytes - pos >= sizeof(head)) {
		memcpy(&head, notes + pos, sizeof(head));

		size_t name = pos + sizeof(head), text = name + padded(head.n_namesz);
		size_t next = text + padded(head.n_descsz);

		if (next > bytes || next <= pos)
			break;
		if (head.n_type == STATS_NOTE_TYPE && head.n_descsz == sizeof(uint64_t) &&
		    head.n_namesz == sizeof(STATS_NOTE_NAME) &&
		    memcmp(notes + name, STATS_NOTE_NAME, sizeof(STATS_NOTE_NAME)) == 0) {
			uint64_t distance;

			memcpy(&distance, notes + text, sizeof(distance));
			*ret_page = at + text + distance;
			return 0;
		}
		pos = next;
	}
	return -ENXIO;
}

static int search_notes(int fd, const Elf64_Phdr *ph, uint64_t base, uint64_t *ret_page)
{
	unsigned char *notes;
	int err = -ENXIO;

	if (ph->p_type != PT_NOTE || ph->p_filesz == 0 || ph->p_filesz > NOTES_MOST)
		return -ENXIO;
	notes = malloc(ph->p_filesz);
	if (!notes)
		return -ENOMEM;
	if (copy(fd, base + ph->p_vaddr, notes, ph->p_filesz) == 0)
		err = find_note(notes, ph->p_filesz, base + ph->p_vaddr, ret_page);
	free(notes);
	return err;
}

/* What lies at @header, with its program headers at @at: what was added to its addresses. */
static uint64_t base_of(const Elf64_Phdr *ph, size_t n, uint64_t header, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_PHDR)
			return at - ph[i].p_vaddr;
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			return header - ph[i].p_vaddr;
	return header;
}

static int search_object(int fd, uint64_t header, uint64_t phdrs, size_t n, uint64_t *ret_page)
{
	Elf64_Phdr *ph;
	int err = -ENXIO;

	if (n == 0 || n > PHDRS_MOST)
		return -ENXIO;
	ph = calloc(n, sizeof(*ph));
	if (!ph)
		return -ENOMEM;
	if (copy(fd, phdrs, ph, n * sizeof(*ph)) == 0)
		for (size_t i = 0; i < n && err == -ENXIO; i++)
			err = search_notes(fd, &ph[i], base_of(ph, n, header, phdrs), ret_page);
	free(ph);
	return err;
}

/* A library that is mapped from its first byte on. */
static int search_library(int fd, uint64_t header, uint64_t *ret_page)
{
	Elf64_Ehdr eh;

	if (copy(fd, header, &eh, sizeof(eh)) != 0 || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(Elf64_Phdr))
		return -ENXIO;
	return search_object(fd, header, header + eh.e_phoff, eh.e_phnum, ret_page);
}

/* The program itself, which may be linked with the allocator: the kernel says where it is. */
static int search_program(int fd, pid_t pid, uint64_t *ret_page)
{
	struct blob auxv = { 0 };
	uint64_t at = 0, n = 0, entry = 0;
	Elf64_auxv_t a;
	int err = proc_read(pid, "auxv", &auxv);

	for (size_t i = 0; !err && i + sizeof(a) <= auxv.bytes; i += sizeof(a)) {
		memcpy(&a, auxv.at + i, sizeof(a));
		at = a.a_type == AT_PHDR ? a.a_un.a_val : at;
		n = a.a_type == AT_PHNUM ? a.a_un.a_val : n;
		entry = a.a_type == AT_PHENT ? a.a_un.a_val : entry;
	}
	blob_free(&auxv);
	if (err || entry != sizeof(Elf64_Phdr) || at < sizeof(Elf64_Ehdr))
		return -ENXIO;
	return search_object(fd, at - sizeof(Elf64_Ehdr), at, n, ret_page);
}

/* Where the library was installed under another name it goes by what it is in memory. */
static bool may_be_ours(struct span name)
{
	return memmem(name.at, name.bytes, "hresv", 5) ||
	       memmem(name.at, name.bytes, "libhugetlbfs", 12);
}

static bool is_used(int fd, uint64_t at)
{
	struct stats_page head;

	return copy(fd, at, &head, offsetof(struct stats_page, counters)) == 0 &&
	       memcmp(head.magic, STATS_MAGIC, sizeof(head.magic)) == 0 && head.pid;
}

/* Of several pages the one in use: two of our libraries can be in one process. */
static int search(int fd, pid_t pid, uint64_t *ret_at)
{
	struct blob maps = { 0 };
	struct span rest;
	struct vma v;
	uint64_t at;
	int found = search_program(fd, pid, ret_at), err;

	if (found == 0 && is_used(fd, *ret_at))
		return 0;
	err = proc_read(pid, "maps", &maps);
	rest = (struct span){ maps.at, maps.bytes };
	while (!err && smaps_next(&rest, &v)) {
		if (v.offset || !v.readable || !v.name.bytes || !may_be_ours(v.name) ||
		    search_library(fd, v.lo, &at) != 0)
			continue;
		found = 0;
		*ret_at = at;
		if (is_used(fd, at))
			break;
	}
	blob_free(&maps);
	return err ? err : found;
}

int page_find(pid_t pid, uint64_t *ret_at)
{
	uint64_t at;
	int fd = open_memory(pid), err;

	if (fd < 0)
		return fd;
	err = search(fd, pid, &at);
	close(fd);
	if (!err)
		*ret_at = at;
	return err;
}

static bool is_a_power(uint64_t n)
{
	return n && !(n & (n - 1));
}

static void check_record(struct stats_record *r, uint64_t decided)
{
	if (r->number > decided || r->why >= REASON_N || r->use >= USE_N ||
	    (r->page_bytes && !is_a_power(r->page_bytes)) || r->huge > r->asked ||
	    r->at + r->asked < r->at) {
		memset(r, 0, sizeof(*r));
		return;
	}
	r->call[sizeof(r->call) - 1] = '\0';
}

int page_check(struct stats_page *p)
{
	struct stats *s = &p->counters;

	if (memcmp(p->magic, STATS_MAGIC, sizeof(p->magic)) != 0)
		return -ENXIO;
	if (p->version != STATS_VERSION || p->bytes != sizeof(*p) || p->uses != USE_N ||
	    p->reasons != REASON_N || p->sizes != PAGESIZE_MAX || p->records != STATS_RECORDS)
		return -EPROTO;
	for (size_t i = 0; i < PAGESIZE_MAX; i++)
		if (!is_a_power(s->size[i].page_bytes))
			s->size[i] = (struct stats_size){ 0 };
	for (size_t i = 0; i < STATS_RECORDS; i++)
		check_record(&p->record[i], p->decided);
	return 0;
}

/* A record that differs between two looks was being written: it is left out. */
int page_read(pid_t pid, uint64_t at, struct stats_page *ret_page)
{
	struct stats_page *again;
	int fd = open_memory(pid), err;

	if (fd < 0)
		return fd;
	again = malloc(sizeof(*again));
	err = !again ? -ENOMEM : copy(fd, at, ret_page, sizeof(*ret_page)) != 0 ||
					 copy(fd, at, again, sizeof(*again)) != 0 ? -ENXIO : 0;
	close(fd);
	if (!err)
		err = page_check(ret_page);
	for (size_t i = 0; !err && i < STATS_RECORDS; i++)
		if (again->record[i].number != ret_page->record[i].number)
			ret_page->record[i].number = 0;
	free(again);
	return err;
}

static void walk_leaf(const uint32_t *words, uint64_t from, unsigned shift, size_t n,
		      void (*each)(uint64_t lo, uint64_t hi, uint32_t word, void *arg), void *arg)
{
	for (size_t i = 0, end; i < n; i = end) {
		uint32_t word = words[i] & ~WORD_MARKS;

		for (end = i + 1; end < n && (words[end] & ~WORD_MARKS) == word; end++)
			;
		if (word & WORD_KIND_MASK)
			each(from + ((uint64_t)i << shift), from + ((uint64_t)end << shift), word,
			     arg);
	}
}

int page_walk_map(pid_t pid, const struct stats_page *page,
		  void (*each)(uint64_t lo, uint64_t hi, uint32_t word, void *arg), void *arg)
{
	const size_t leaf = PAGEMAP_LEAF_WORDS, top = PAGEMAP_TOP_WORDS;
	uint64_t *tops;
	uint32_t *words;
	int fd, err = 0;

	/* Its libhresv and this tool are of one build, or of two that agree. */
	if (page->map_leaf_words != leaf || page->map_top_words != top ||
	    page->granule_shift != GRANULE_SHIFT || !page->map_top)
		return -EPROTO;
	fd = open_memory(pid);
	if (fd < 0)
		return fd;
	tops = calloc(top, sizeof(*tops));
	words = calloc(leaf, sizeof(*words));
	if (!tops || !words)
		err = -ENOMEM;
	if (!err)
		err = copy(fd, page->map_top, tops, top * sizeof(*tops));
	for (size_t i = 0; !err && i < top; i++)
		if (tops[i] && copy(fd, tops[i], words, leaf * sizeof(*words)) == 0)
			walk_leaf(words, (uint64_t)i * leaf << GRANULE_SHIFT, GRANULE_SHIFT, leaf,
				  each, arg);
	free(tops);
	free(words);
	close(fd);
	return err;
}
