/* SPDX-License-Identifier: MIT */
/* aside.c - a growing list behind a lock */
#include "core/act/aside.h"

#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

/* Its address is another in each thread that lives. */
static __thread char me __attribute__((tls_model("initial-exec")));

struct aside {
	const void *builder;
	uintptr_t at;
	size_t bytes;
	int turn;
};

static struct {
	struct lock lock;	/* guards sites; memory is mapped under it, no other lock */
	struct blob sites;	/* struct aside[] */
} list = { .lock = LOCK_INIT(LOCK_ASIDE) };

/* Under the lock; NULL when it isn't there. */
static struct aside *find(uintptr_t at)
{
	struct aside *site = (struct aside *)list.sites.at;

	for (size_t i = 0; i < list.sites.bytes / sizeof(*site); i++)
		if (site[i].at == at)
			return &site[i];
	return NULL;
}

bool aside_note(uintptr_t at, size_t bytes)
{
	const struct aside site = { &me, at, bytes, -1 };
	int err;

	lock_take(&list.lock);
	err = blob_add(&list.sites, &site, sizeof(site));
	lock_drop(&list.lock);
	return err == 0;
}

void aside_set_turn(uintptr_t at, int fd)
{
	struct aside *site;

	lock_take(&list.lock);
	site = find(at);
	if (site)
		site->turn = fd;
	lock_drop(&list.lock);
}

void aside_forget(uintptr_t at)
{
	struct aside *site;

	lock_take(&list.lock);
	site = find(at);
	if (site) {
		list.sites.bytes -= sizeof(*site);
		*site = *(struct aside *)(list.sites.at + list.sites.bytes);
	}
	lock_drop(&list.lock);
}

bool aside_holds_turn(void)
{
	const struct aside *site;
	bool holds = false;

	lock_take(&list.lock);
	site = (const struct aside *)list.sites.at;
	for (size_t i = 0; i < list.sites.bytes / sizeof(*site); i++)
		holds = holds || site[i].turn >= 0;
	lock_drop(&list.lock);
	return holds;
}

void aside_abandon(void)
{
	struct aside *site = (struct aside *)list.sites.at;
	size_t kept = 0;

	lock_renew(&list.lock);
	for (size_t i = 0; i < list.sites.bytes / sizeof(*site); i++) {
		if (site[i].builder == &me) {
			site[kept++] = site[i];
			continue;
		}
		sys_munmap(site[i].at, site[i].bytes);
		if (site[i].turn >= 0)
			sys_close(site[i].turn);
	}
	list.sites.bytes = kept * sizeof(*site);
}
