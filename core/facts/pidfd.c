/* SPDX-License-Identifier: MIT */
/* pidfd.c - the Pid: line of a descriptor's fdinfo */
#include "core/facts/pidfd.h"

#include "core/base/mem.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/base/text.h"

/* linux/pidfd.h since 6.14: this thread, and its thread group. */
#define SELF_THREAD (-10000)
#define SELF_PROCESS (-20000)

static bool is_own_pid(struct span info)
{
	struct span line, word;
	uint64_t pid;

	while (span_next_line(&info, &line)) {
		if (!span_starts(line, "Pid:"))
			continue;
		span_next_word(&line, &word);
		return span_next_word(&line, &word) && text_u64(word, &pid) == 0 &&
		       pid == (uint64_t)sys_getpid();
	}
	return false;
}

bool pidfd_is_self(int pidfd)
{
	struct blob info = { 0 };
	struct line path;
	bool self;

	if (pidfd < 0)
		return pidfd == SELF_THREAD || pidfd == SELF_PROCESS;
	line_start(&path);
	line_text(&path, "/proc/self/fdinfo/");
	line_u64(&path, (uint64_t)pidfd);
	path.text[path.bytes] = '\0';
	if (blob_read_file(path.text, &info) != 0)
		return false;
	self = is_own_pid((struct span){ info.at, info.bytes });
	blob_free(&info);
	return self;
}
