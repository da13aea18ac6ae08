/* SPDX-License-Identifier: MIT */
/*
 * elf_symbols.c - a line for each function, as perf reads them
 *
 * perf names code by the file it is mapped from, and ours is mapped from none. For such
 * code it looks into /tmp/perf-PID.map, which compilers at run time write. gdb, dladdr()
 * and backtrace() need nothing: they go by addresses, which are what they were.
 *
 * Pitfalls.
 * 1. /tmp is everybody's: the file is made anew and never followed or written through.
 *    One of an earlier process of ours with this pid goes first, if it is our own.
 * 2. The file may be damaged, or be truncated while it is read: every read is by offset
 *    and says how much came.
 */
#include "preload/elf_symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/base/out.h"
#include "core/base/sys.h"

#define SYMBOLS_A_READ 128
#define LINES_A_WRITE 60000
#define NAMES_MOST ((size_t)1 << 30)

static void name_map(struct blob *path)
{
	blob_text(path, "/tmp/perf-");
	blob_u64(path, (uint64_t)sys_getpid());
	blob_text(path, ".map");
}

static int create(const char *path)
{
	return (int)sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

/* An old one: a regular file of ours, with one name. */
static bool is_ours(const char *path)
{
	long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;
	bool ours;

	if (fd < 0)
		return false;
	ours = sys_fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       (long)st.st_uid == sys_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	sys_close((int)fd);
	return ours;
}

int elf_symbols_open(void)
{
	struct blob path = { 0 };
	int fd = -ENOMEM;

	name_map(&path);
	if (path.at) {
		fd = create(path.at);
		if (fd == -EEXIST && is_ours(path.at) &&
		    sys_unlinkat(AT_FDCWD, path.at, 0) == 0)
			fd = create(path.at);
		if (fd < 0 && out_level() >= 1)
			out_say("HUGETLB_PERF_MAP: cannot make ", path.at, NULL, NULL, NULL, NULL);
	}
	blob_free(&path);
	return fd;
}

static bool read_all(int fd, void *to, size_t bytes, uint64_t offset)
{
	for (size_t done = 0; done < bytes;) {
		long got = sys_pread(fd, (char *)to + done, bytes - done, (off_t)(offset + done));

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

static void flush(int fd, struct blob *lines)
{
	for (size_t done = 0; done < lines->bytes;) {
		long put = sys_write(fd, lines->at + done, lines->bytes - done);

		if (put == -EINTR)
			continue;
		if (put <= 0)
			break;
		done += (size_t)put;
	}
	blob_cut(lines, 0);
}

static void add_hex(struct blob *lines, uint64_t value)
{
	char text[16];
	size_t at = sizeof(text);

	do
		text[--at] = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	blob_add(lines, text + at, sizeof(text) - at);
}

/* The symbol's name as far as it is one: to a zero byte inside the table. */
static size_t name_bytes(const struct blob *names, size_t at)
{
	size_t end = at;

	while (end < names->bytes && names->at[end] > ' ' && names->at[end] != 0x7f)
		end++;
	return end < names->bytes && names->at[end] == '\0' ? end - at : 0;
}

static void add_symbol(struct blob *lines, const struct elf_object *o, const ElfW(Sym) *s,
		       const struct blob *names)
{
	const unsigned type = s->st_info & 15;
	size_t bytes = name_bytes(names, s->st_name);

	if (s->st_shndx == SHN_UNDEF || !s->st_size || !bytes ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC) || !elf_holds(o, o->base + s->st_value))
		return;
	add_hex(lines, o->base + s->st_value);
	blob_text(lines, " ");
	add_hex(lines, s->st_size);
	blob_text(lines, " ");
	blob_add(lines, names->at + s->st_name, bytes);
	blob_text(lines, "\n");
}

static void add_table(int to, int from, const struct elf_object *o, const ElfW(Shdr) *table,
		      const ElfW(Shdr) *strings)
{
	struct blob names = { 0 }, lines = { 0 };
	ElfW(Sym) symbols[SYMBOLS_A_READ];
	const size_t n = table->sh_size / sizeof(symbols[0]);

	if (strings->sh_size && strings->sh_size < NAMES_MOST &&
	    blob_reserve(&names, strings->sh_size) == 0 &&
	    read_all(from, names.at, strings->sh_size, strings->sh_offset)) {
		names.bytes = strings->sh_size;
		for (size_t i = 0; i < n; i += SYMBOLS_A_READ) {
			size_t now = n - i < SYMBOLS_A_READ ? n - i : SYMBOLS_A_READ;

			if (!read_all(from, symbols, now * sizeof(symbols[0]),
				      table->sh_offset + i * sizeof(symbols[0])))
				break;
			for (size_t s = 0; s < now; s++)
				add_symbol(&lines, o, &symbols[s], &names);
			if (lines.bytes > LINES_A_WRITE)
				flush(to, &lines);
		}
		flush(to, &lines);
	}
	blob_free(&names);
	blob_free(&lines);
}

/* The header of section @i; false: none. */
static bool section(int fd, const ElfW(Ehdr) *eh, size_t i, ElfW(Shdr) *ret)
{
	return i < eh->e_shnum &&
	       read_all(fd, ret, sizeof(*ret), eh->e_shoff + i * sizeof(*ret));
}

static bool find_table(int fd, const ElfW(Ehdr) *eh, uint32_t type, ElfW(Shdr) *ret)
{
	for (size_t i = 0; i < eh->e_shnum; i++)
		if (section(fd, eh, i, ret) && ret->sh_type == type)
			return ret->sh_entsize == sizeof(ElfW(Sym));
	return false;
}

/* Replaced meanwhile, or (a program started by naming the loader) another's: no names. */
static bool is_file_of(int fd, const ElfW(Ehdr) *eh, const struct elf_object *o)
{
	ElfW(Phdr) p;

	if (eh->e_phnum != o->phdrs || eh->e_phentsize != sizeof(p))
		return false;
	for (size_t i = 0; i < o->phdrs; i++)
		if (!read_all(fd, &p, sizeof(p), eh->e_phoff + i * sizeof(p)) ||
		    memcmp(&p, &o->phdr[i], sizeof(p)) != 0)
			return false;
	return true;
}

void elf_symbols_add(int to, const struct elf_object *o)
{
	long fd = sys_openat(AT_FDCWD, *o->name ? o->name : "/proc/self/exe", O_RDONLY, 0);
	ElfW(Shdr) table, strings;
	ElfW(Ehdr) eh;

	if (fd < 0)
		return;
	if (read_all((int)fd, &eh, sizeof(eh), 0) && eh.e_shentsize == sizeof(table) &&
	    is_file_of((int)fd, &eh, o) &&
	    (find_table((int)fd, &eh, SHT_SYMTAB, &table) ||
	     find_table((int)fd, &eh, SHT_DYNSYM, &table)) &&
	    section((int)fd, &eh, table.sh_link, &strings))
		add_table(to, (int)fd, o, &table, &strings);
	sys_close((int)fd);
}
