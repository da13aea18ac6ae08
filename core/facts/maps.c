/* SPDX-License-Identifier: MIT */
/*
 * maps.c - /proc/self/maps: asked about one address (Linux 6.11), or line by line
 *
 * The text has a line for each mapping of the process, and reading it takes as
 * long as there are many: 14 ms for 65,000. The question takes a microsecond.
 */
#include "core/facts/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/base/text.h"

struct mapping {
	uint64_t lo, hi;
	struct map_facts facts;
	uint64_t offset, inode;		/* known from a line alone */
	struct span name;
};

static bool is_huge_name(struct span name)
{
	return span_starts(name, "/anon_hugepage");
}

static struct map_facts facts_of(struct span name, int prot, bool shared)
{
	const bool huge = is_huge_name(name);

	return (struct map_facts){
		.prot = prot,
		.shared = shared,
		.huge = huge,
		.anonymous = name.bytes == 0 || name.at[0] == '[' || huge ||
			     span_starts(name, "/dev/zero"),
	};
}

/* "lo-hi rwxp offset dev inode name" (proc_pid_maps(5)). */
static int parse_line(struct span line, struct mapping *ret)
{
	struct span range, perms, word, lo;
	struct mapping m = { 0 };

	if (!span_next_word(&line, &range) || !span_next_word(&line, &perms) || perms.bytes < 4 ||
	    !span_next_field(&range, '-', &lo) || text_hex(lo, &m.lo) || text_hex(range, &m.hi))
		return -EBADMSG;
	if (span_next_word(&line, &word))
		text_hex(word, &m.offset);
	span_next_word(&line, &word);
	if (span_next_word(&line, &word))
		text_u64(word, &m.inode);
	m.name = span_trim(line);
	m.facts = facts_of(m.name,
			   (perms.at[0] == 'r' ? PROT_READ : 0) |
			   (perms.at[1] == 'w' ? PROT_WRITE : 0) |
			   (perms.at[2] == 'x' ? PROT_EXEC : 0), perms.at[3] == 's');
	*ret = m;
	return 0;
}

static int join(struct map_facts *all, const struct map_facts *more, bool first)
{
	if (first) {
		*all = *more;
		return 0;
	}
	if (all->prot != more->prot || all->shared != more->shared)
		return -EFAULT;
	all->anonymous = all->anonymous && more->anonymous;
	all->huge = all->huge || more->huge;
	return 0;
}

/* As in linux/fs.h, from 6.11 on. */
struct query {
	uint64_t bytes, flags, at;
	uint64_t lo, hi, what, page_bytes, offset, inode;
	uint32_t major, minor, name_bytes, build_id_bytes;
	uint64_t name, build_id;
};
#define QUERY _IOWR('f', 17, struct query)
enum { QUERY_THIS_OR_NEXT = 0x10 };
enum { IS_READABLE = 1, IS_WRITABLE = 2, IS_EXECUTABLE = 4, IS_SHARED = 8 };

static int ask_once(int fd, uintptr_t at, struct mapping *ret)
{
	char text[64] = "";
	struct query q = { .bytes = sizeof(q), .flags = QUERY_THIS_OR_NEXT, .at = at,
			   .name_bytes = sizeof(text), .name = (uintptr_t)text };
	long err = sys_ioctl(fd, QUERY, &q);

	/* A name too long for it is a file's. */
	if (err == -ENAMETOOLONG) {
		q.name_bytes = 0;
		q.name = 0;
		text[0] = '/';
		err = sys_ioctl(fd, QUERY, &q);
	}
	if (err)
		return (int)err;
	*ret = (struct mapping){
		.lo = q.lo,
		.hi = q.hi,
		.facts = facts_of(span_of(text),
				  (q.what & IS_READABLE ? PROT_READ : 0) |
				  (q.what & IS_WRITABLE ? PROT_WRITE : 0) |
				  (q.what & IS_EXECUTABLE ? PROT_EXEC : 0), q.what & IS_SHARED),
	};
	return 0;
}

/*
 * The mapping that holds @at: 0; -EFAULT: none does; -ENOTTY and the like: ask
 * otherwise. The question is answered without the lock of the address space, so
 * while another thread replaces a mapping there may seem to be none: mincore()
 * waits for that, and knows.
 */
static int ask(int fd, uintptr_t at, struct mapping *ret)
{
	unsigned char vec;

	for (;;) {
		int err = ask_once(fd, at, ret);

		if (err == 0 && ret->lo <= at)
			return 0;
		if (err && err != -ENOENT)
			return err;
		if (sys_mincore(align_down(at, mem_page_bytes()), mem_page_bytes(), &vec) != 0)
			return -EFAULT;
	}
}

static int open_questions(const char *root)
{
	return root[0] ? -ENOTTY : (int)sys_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
}

/* 0 or -EFAULT; anything else: this kernel can't be asked. */
static int ask_range(const char *root, uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts)
{
	int fd = open_questions(root), err = 0;
	struct map_facts all = { 0 };
	struct mapping m;

	if (fd < 0)
		return -ENOTTY;
	for (uintptr_t at = lo; at < hi && !err; at = m.hi) {
		err = ask(fd, at, &m);
		if (!err)
			err = join(&all, &m.facts, at == lo);
	}
	sys_close(fd);
	if (!err)
		*ret_facts = all;
	return err;
}

int maps_read_range(const char *root, uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts)
{
	struct map_facts all = { 0 };
	struct blob text = { 0 };
	struct span rest, line;
	struct mapping m;
	uintptr_t at = lo;
	int err = ask_range(root, lo, hi, ret_facts);

	if (err == 0 || err == -EFAULT)
		return err;
	err = blob_read_under(root, "/proc/self/maps", &text);
	if (err)
		return err;
	rest = (struct span){ text.at, text.bytes };
	while (!err && at < hi && span_next_line(&rest, &line)) {
		if (parse_line(line, &m) != 0 || m.hi <= at)
			continue;
		err = m.lo > at ? -EFAULT : join(&all, &m.facts, at == lo);
		at = m.hi;
	}
	blob_free(&text);
	if (err)
		return err;
	if (at < hi)
		return -EFAULT;
	*ret_facts = all;
	return 0;
}

int maps_room(const char *root, uint64_t *ret_limit, uint64_t *ret_used)
{
	struct blob text = { 0 };
	uint64_t limit, used = 0;
	int err = blob_read_under(root, "/proc/sys/vm/max_map_count", &text);

	if (err)
		return err;
	err = text_u64((struct span){ text.at, text.bytes }, &limit);
	blob_free(&text);
	if (!err)
		err = blob_read_under(root, "/proc/self/maps", &text);
	if (err)
		return err;
	for (size_t i = 0; i < text.bytes; i++)
		used += text.at[i] == '\n';
	blob_free(&text);
	*ret_limit = limit;
	*ret_used = used;
	return 0;
}

int maps_read_end(const char *root, uintptr_t at, uintptr_t *ret_end)
{
	struct blob text = { 0 };
	struct span rest, line;
	struct mapping m = { 0 };
	int fd = open_questions(root), err;

	if (fd >= 0) {
		err = ask(fd, at, &m);
		sys_close(fd);
		if (err == 0)
			*ret_end = m.hi;
		if (err == 0 || err == -EFAULT)
			return err;
	}
	err = blob_read_under(root, "/proc/self/maps", &text);
	if (err)
		return err;
	err = -EFAULT;
	rest = (struct span){ text.at, text.bytes };
	while (err && span_next_line(&rest, &line)) {
		if (parse_line(line, &m) != 0 || m.hi <= at)
			continue;
		if (m.lo > at)
			break;
		*ret_end = m.hi;
		err = 0;
	}
	blob_free(&text);
	return err;
}

int maps_walk(const char *root, uintptr_t lo, uintptr_t hi,
	      void (*each)(const struct map_part *part, void *arg), void *arg)
{
	struct blob text = { 0 };
	struct span rest, line;
	struct mapping m;
	int err = blob_read_under(root, "/proc/self/maps", &text);

	if (err)
		return err;
	rest = (struct span){ text.at, text.bytes };
	while (span_next_line(&rest, &line)) {
		if (parse_line(line, &m) != 0 || m.hi <= lo)
			continue;
		if (m.lo >= hi)
			break;
		each(&(struct map_part){ m.lo, m.hi, m.facts, m.offset, m.inode, m.name }, arg);
	}
	blob_free(&text);
	return 0;
}

struct ends {
	uintptr_t at, hi;
	struct blob list;
	int err;
};

static void add_end(struct ends *e, uintptr_t lo, uintptr_t hi)
{
	const uintptr_t end = hi < e->hi ? hi : e->hi;

	if (!e->err)
		e->err = lo > e->at ? -EFAULT : blob_add(&e->list, &end, sizeof(end));
	e->at = end;
}

static void add_part(const struct map_part *part, void *arg)
{
	add_end(arg, part->lo, part->hi);
}

/* Anything but 0, -EFAULT and -ENOMEM: this kernel can't be asked. */
static int ask_ends(const char *root, struct ends *e)
{
	int fd = open_questions(root), err = 0;
	struct mapping m;

	if (fd < 0)
		return -ENOTTY;
	while (e->at < e->hi && !err) {
		err = ask(fd, e->at, &m);
		if (!err)
			add_end(e, m.lo, m.hi);
		if (!err)
			err = e->err;
	}
	sys_close(fd);
	return err;
}

int maps_read_ends(const char *root, uintptr_t lo, uintptr_t hi, struct blob *ret_ends)
{
	struct ends e = { .at = lo, .hi = hi };
	int err = ask_ends(root, &e);

	if (err && err != -EFAULT && err != -ENOMEM) {
		err = maps_walk(root, lo, hi, add_part, &e);
		if (!err)
			err = e.err;
		if (!err && e.at < hi)
			err = -EFAULT;
	}
	if (err)
		blob_free(&e.list);
	else
		*ret_ends = e.list;
	return err;
}
