/* SPDX-License-Identifier: MIT */
/* observe.c - counters, the descriptor of fallbacks, limits of the running process */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "api/edge.h"
#include "core/act/fallback.h"
#include "core/act/stats.h"
#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_uses(struct hresv_counters *c, const struct stats *s)
{
	for (int use = 0; use < USE_N; use++) {
		c->requests += load(&s->use[use].requests);
		c->asked += load(&s->use[use].asked);
		c->huge += load(&s->use[use].huge);
		for (int why = 1; why < REASON_N; why++)
			c->small[edge_reason((enum reason)why)] += load(&s->use[use].small[why]);
	}
}

HRESV_API size_t hresv_counters_read(struct hresv_counters *ret_counters, size_t room)
{
	const struct stats *s = stats_get();
	struct hresv_counters c = {
		.huge_now = load(&s->huge_now),
		.huge_peak = load(&s->huge_peak),
		.own_requests = load(&s->guarded_requests),
		.own_refused = load(&s->guarded_refused),
		.own_huge = load(&s->guarded_bytes),
		.demoted_pages = load(&s->demoted),
		.promoted_pages = load(&s->promoted),
		.rescued_pages = load(&s->rescued),
		.fallbacks = fallback_count(),
	};

	if (!ret_counters)
		return 0;
	add_uses(&c, s);
	if (room > sizeof(c))
		room = sizeof(c);
	memcpy(ret_counters, &c, room);
	return room;
}

/*
 * The eventfd, and whose it is: process id in the upper half, descriptor + 1 in the lower,
 * so that one load tells both. A fork child's events are not its parent's.
 */
static uint64_t watch;

static int watch_fd(uint64_t word)
{
	return (int)(uint32_t)word - 1;
}

static bool watch_is_mine(uint64_t word)
{
	return word && word >> 32 == (uint64_t)(uint32_t)sys_getpid();
}

static void tell(void)
{
	const uint64_t word = __atomic_load_n(&watch, __ATOMIC_ACQUIRE), one = 1;

	if (watch_is_mine(word))
		sys_write(watch_fd(word), &one, sizeof(one));
}

HRESV_API int hresv_fallback_fd(void)
{
	uint64_t was = __atomic_load_n(&watch, __ATOMIC_ACQUIRE), mine;
	long fd;

	if (watch_is_mine(was))
		return watch_fd(was);
	fd = sys_call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
	if (fd < 0)
		return (int)fd;
	fd = fd_move_up((int)fd);
	mine = (uint64_t)(uint32_t)sys_getpid() << 32 | (uint32_t)(fd + 1);
	if (!__atomic_compare_exchange_n(&watch, &was, mine, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		sys_close((int)fd);
		return watch_fd(was);
	}
	if (was)
		sys_close(watch_fd(was));	/* a parent's, inherited */
	fallback_tell(tell);
	return (int)fd;
}

HRESV_API int hresv_policy_get(struct hresv_policy *ret_policy)
{
	const struct conf *conf = conf_get();

	if (!ret_policy)
		return -EINVAL;
	if (!conf)
		return -ENOMEM;
	*ret_policy = (struct hresv_policy){
		.set = HRESV_SET_LIMIT | HRESV_SET_KEEP_FREE,
		.limit_bytes = load(&conf->limit),
		.keep_free_pages = load(&conf->keep_free),
	};
	return 0;
}

/* With the gate closed: no operation has half of it. */
HRESV_API int hresv_policy_set(const struct hresv_policy *policy)
{
	const unsigned known = HRESV_SET_LIMIT | HRESV_SET_KEEP_FREE;
	const struct conf *conf = conf_get();
	struct quiet q;
	int err;

	if (!policy || (policy->set & ~known) || policy->zero)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(policy->spare) / sizeof(policy->spare[0]); i++)
		if (policy->spare[i])
			return -EINVAL;
	if (!conf)
		return -ENOMEM;
	if (!conf->active)
		return HRESV_SHORT(HRESV_FILTERED);
	quiet_enter(&q);
	gate_close();
	conf = conf_get();
	err = conf_tune(policy->set & HRESV_SET_LIMIT ? policy->limit_bytes : conf->limit,
			policy->set & HRESV_SET_KEEP_FREE ? policy->keep_free_pages
							  : conf->keep_free);
	gate_open();
	quiet_leave(&q);
	return err;
}

HRESV_API int hresv_release_now(uint64_t *ret_bytes)
{
	const uint64_t before = stats_held();
	uint64_t now;

	malloc_trim(0);
	now = stats_held();
	if (ret_bytes)
		*ret_bytes = now < before ? before - now : 0;
	return 0;
}
