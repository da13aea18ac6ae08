/* SPDX-License-Identifier: MIT */
/*
 * carry.c - loads where they are allowed, the files of /proc/self where not
 *
 * A process with no descriptor left asks by a thread with a table of its own (apart.h).
 */
#include "core/act/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/apart.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/meminfo.h"

/* Where the groups of a user leave no room for it in a page, the whole file. */
static int read_pinned(uint64_t *ret_bytes)
{
	struct blob whole = { 0 };
	int err = blob_read_file("/proc/self/status", &whole);

	if (!err)
		err = meminfo_u64((struct span){ whole.at, whole.bytes }, "VmPin:", ret_bytes);
	blob_free(&whole);
	return err;
}

/* Writers are held: nothing is mapped for it. 1: there are pins, or nobody can say. */
static int look_for_pins(void)
{
	char text[4096];
	long fd = sys_openat(AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
	long got = fd < 0 ? fd : sys_read((int)fd, text, sizeof(text));
	uint64_t bytes = 1;

	if (fd == -EMFILE)
		return -EMFILE;
	if (fd >= 0)
		sys_close((int)fd);
	if (got < 0 || meminfo_u64((struct span){ text, (size_t)got }, "VmPin:", &bytes) != 0)
		return read_pinned(&bytes) != 0 || bytes;
	return bytes != 0;
}

static bool met_pins;	/* atomic: the last time anybody looked */
static bool had_pins;	/* written before the door is narrow */

void carry_remember(void)
{
	had_pins = carry_has_pins();
}

bool carry_has_pins_at_fork(void)
{
	return door_is_narrow() ? had_pins : carry_has_pins();
}

static int copy_once(uintptr_t to, uintptr_t from, size_t bytes)
{
	long fd = sys_openat(AT_FDCWD, "/proc/self/mem", O_RDONLY, 0);
	size_t done = 0;

	if (fd < 0)
		return (int)fd;
	while (done < bytes) {
		long got = sys_call(SYS_pread64, fd, (long)(to + done), (long)(bytes - done),
				    (long)(from + done), 0, 0);

		if (got == -EINTR)
			continue;
		if (got <= 0) {
			sys_close((int)fd);
			return got ? (int)got : -EIO;
		}
		done += (size_t)got;
	}
	sys_close((int)fd);
	return 0;
}

/* What is done apart: a look for pins, and a copy when there are bytes. */
struct errand {
	uintptr_t to, from;
	size_t bytes;
	int answer;
};

static void do_errand(void *arg)
{
	struct errand *e = arg;

	e->answer = e->bytes ? copy_once(e->to, e->from, e->bytes) : look_for_pins();
}

static int run_apart(uintptr_t to, uintptr_t from, size_t bytes)
{
	struct errand *e = mem_pages(sizeof(*e));
	int answer = -EMFILE;

	if (!e)
		return answer;
	*e = (struct errand){ .to = to, .from = from, .bytes = bytes };
	if (apart_run(do_errand, e) == 0)
		answer = e->answer;
	mem_pages_free(e, sizeof(*e));
	return answer;
}

bool carry_met_pins(void)
{
	return __atomic_load_n(&met_pins, __ATOMIC_RELAXED);
}

bool carry_has_pins(void)
{
	int pins = look_for_pins();

	if (pins == -EMFILE)
		pins = run_apart(0, 0, 0);
	__atomic_store_n(&met_pins, pins != 0, __ATOMIC_RELAXED);
	return pins != 0;
}

static int copy_by_kernel(uintptr_t to, uintptr_t from, size_t bytes)
{
	int err = copy_once(to, from, bytes);

	return err == -EMFILE ? run_apart(to, from, bytes) : err;
}

int carry(uintptr_t to, uintptr_t from, size_t bytes, page_word word)
{
	if (!bytes)
		return 0;
	if (!(word_prot(word) & PROT_READ) || word_pkey(word))
		return copy_by_kernel(to, from, bytes);
	memcpy((void *)to, (const void *)from, bytes);
	return 0;
}

int carry_sparsely(uintptr_t to, uintptr_t from, size_t bytes, page_word word)
{
	const size_t page = mem_page_bytes();
	int err = 0;

	if (!(word_prot(word) & PROT_READ) || word_pkey(word))
		return carry(to, from, bytes, word);
	for (size_t done = 0; done < bytes && !err; done += page)
		if (!mem_is_zero(from + done, page))
			err = carry(to + done, from + done, page, word);
	return err;
}
