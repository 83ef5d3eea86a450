/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ocf:understudy:image: a server's standby image as a resource. */
#include "image/image_actions.h"
#include "tables.h"

static const ocf_action_t image_actions[] = {
    { .name = "start", .timeout_s = 120, .run = image_start },
    { .name = "stop", .timeout_s = 90, .run = image_stop, .takes_bad_params = TRUE },
    { .name = "monitor", .timeout_s = 20, .interval_s = 5, .run = image_monitor, .takes_bad_params = TRUE },
    { .name = "monitor", .timeout_s = 30, .interval_s = 60, .depth = 10, .run = image_monitor,
      .takes_bad_params = TRUE },
    { .name = "migrate_to", .timeout_s = 300, .run = image_migrate_to },
    { .name = "migrate_from", .timeout_s = 60, .run = image_migrate_from },
    { .name = "validate-all", .timeout_s = 20, .run = image_validate },
    { .name = "reload-agent", .timeout_s = 20, .run = ocf_reload_nothing, .takes_bad_params = TRUE },
    { .name = "meta-data", .timeout_s = 5 },
    { .name = NULL }
};

static const ocf_agent_t image_agent = {
    .name = "image",
    .shortdesc = "Runs a server's standby image from Ceph RBD",
    .longdesc = "Boots the standby image of a physical server on this host: copy-on-write clones of its newest "
                "recovery point in Ceph RBD, in a libvirt domain. Normally stopped: a ticket "
                "(" "takeover-SERVER) with loss-policy=stop says when it may run.\n\n"
                "start refuses without that ticket if the cluster manages the image, whoever asks for it, and while anybody "
                "else has a run image open who is not on Ceph's blocklist. What an earlier takeover wrote is kept. stop asks "
                "the guest to shut down, destroys it in time if it does not, and succeeds only when no QEMU and no client "
                "of this host has the images open, and none can come of what libvirtd was sent. A guest that is paused by "
                "an I/O error is a failure.\n\n"
                "validate-all looks at the parameters; with OCF_CHECK_LEVEL=10 also at what this host offers, and at the "
                "store. With OCF_CHECK_LEVEL=20 it asks only whether a start could boot what the store holds, and changes "
                "nothing: exit code 0 if it could; 6 if no host could before an operator changes something, with the "
                "reason; any other if that is not known, for instance because the store does not answer.",
    .params = image_params,
    .actions = image_actions,
};

int main(int argc, char **argv)
{
    return ocf_agent_main(&image_agent, argc, argv);
}
