/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy-gate, on a protected server: the service address comes up only when nobody else has it. */
#include <config.h>

#include <glib.h>
#include <locale.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/duration.h"
#include "base/error.h"
#include "interface.h"
#include "net/address_probe.h"
#include "net/announce.h"
#include "params/server_config.h"
#include "quiet.h"

#define ROUND_MS         1000
#define ROUND_MAX_MS     2500 /* a round that takes longer had a gap */
#define REFERENCE_ROUNDS 3    /* a reference may miss two questions in a row */
#define LOOK_ROUNDS      3    /* how long one looks for another machine beside an address that is up */

#define GATE_EXIT_OK     0
#define GATE_EXIT_FAILED 1
#define GATE_EXIT_USAGE  2

typedef struct gate {
    char *interface;
    char **address_texts;
    char *quiet_text;
    char *reference;
    char *ask_from;
    gint64 quiet_ms;
    GPtrArray *addresses;           /* interface_address_t* */
    guint8 mac[NEIGHBOUR_MAC_BYTES]; /* that asks */
    GPtrArray *probes;              /* address_probe_t*, one for each address */
    address_probe_t *reference_probe;
    guint interface_index;          /* that they ask on; an interface that is made anew has another one */
    guint rounds_without_reference;
    char holder[NEIGHBOUR_MAC_TEXT_BYTES];
    round_t said;
    gboolean has_said;
} gate_t;

/* The signal by which it was told to end while the address was up and not yet known to be its alone; 0: none. */
static volatile sig_atomic_t end_signal;

static void say(const gate_t *gate, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void say(const gate_t *gate, const char *format, ...)
{
    g_autofree char *addresses = g_strjoinv(" ", gate->address_texts);
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "understudy-gate: %s on %s: %s\n", addresses, gate->interface, text);
}

/* What was found, and of whom; g_free() */
static char *round_describe(const gate_t *gate, round_t round)
{
    const char *whom = round == ROUND_IN_USE || round == ROUND_ASKED_BY_OTHER ? gate->holder
                       : round == ROUND_NO_REFERENCE                          ? gate->reference
                                                                              : NULL;

    return whom != NULL ? g_strdup_printf("%s (%s)", round_fact(round), whom) : g_strdup(round_fact(round));
}

/* Each state once, until it changes. */
static void say_round(gate_t *gate, round_t round)
{
    g_autofree char *found = round_describe(gate, round);

    if (gate->has_said && gate->said == round) {
        return;
    }
    gate->said = round;
    gate->has_said = TRUE;
    say(gate, "%s: %s", found, round_doing(round));
}

/* Counts the time that the machine is suspended, too. */
static gint64 clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the addresses ------------------------------------------------------------- */

static guint count_present(const gate_t *gate)
{
    guint count = 0;

    for (guint i = 0; i < gate->addresses->len; i++) {
        count += interface_has_address(gate->interface, g_ptr_array_index(gate->addresses, i)) ? 1 : 0;
    }
    return count;
}

/* Borrowed: one of the addresses that another interface of this machine has, and *interface, which one, g_free(); or NULL. */
static const interface_address_t *find_elsewhere(const gate_t *gate, char **interface)
{
    for (guint i = 0; i < gate->addresses->len; i++) {
        const interface_address_t *address = g_ptr_array_index(gate->addresses, i);

        *interface = interface_other_with_address(gate->interface, address);
        if (*interface != NULL) {
            return address;
        }
    }
    return NULL;
}

/* TRUE: no other interface of this machine has one. */
static gboolean is_nowhere_else(const gate_t *gate, GError **error)
{
    g_autofree char *interface = NULL;
    const interface_address_t *address = find_elsewhere(gate, &interface);

    if (address != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s is on %s of this machine, which answers for it on every interface: take it out of the configuration of "
                    "%s, and off with 'ip address del'", address->address, interface, interface);
    }
    return address == NULL;
}

static gboolean take_off(gate_t *gate, GError **error)
{
    gboolean gone = TRUE;

    for (guint i = 0; i < gate->addresses->len; i++) {
        const interface_address_t *address = g_ptr_array_index(gate->addresses, i);

        if (interface_has_address(gate->interface, address)) {
            /* All of them are tried; the first failure is told. */
            gone = interface_remove_address(gate->interface, address, gone ? error : NULL) && gone;
        }
    }
    return gone;
}

/* Off each interface of this machine: another one has it, and answers. */
static gboolean take_off_everywhere(gate_t *gate, GError **error)
{
    gboolean gone = take_off(gate, error);
    char *interface = NULL;
    const interface_address_t *address = NULL;

    while (gone && (address = find_elsewhere(gate, &interface)) != NULL) {
        say(gate, "%s is taken off %s as well", address->address, interface);
        gone = interface_remove_address(interface, address, error);
        g_clear_pointer(&interface, g_free);
    }
    return gone;
}

/* --- asking ------------------------------------------------------------------ */

/*
 * A MAC to ask from. The image has the service interface's own: a question from that one would draw the image's
 * traffic to this machine's port, and the image's answer would never leave its host.
 */
static gboolean choose_mac(gate_t *gate, GError **error)
{
    char own[NEIGHBOUR_MAC_TEXT_BYTES];

    if (gate->ask_from != NULL) {
        if (!neighbour_mac_parse(gate->ask_from, gate->mac) || (gate->mac[0] & 1) != 0) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "--ask-from %s: write the MAC address of one machine, such as 02:00:00:12:34:56", gate->ask_from);
            return FALSE;
        }
        return TRUE;
    }
    if (!interface_read_mac(gate->interface, own, error) || !neighbour_mac_parse(own, gate->mac)) {
        return FALSE;
    }
    /* A locally administered one: no manufacturer gave it to anybody. */
    gate->mac[0] = (guint8) ((gate->mac[0] & 2) == 0 ? gate->mac[0] | 2 : gate->mac[0] ^ 4);
    return TRUE;
}

static void close_probes(gate_t *gate)
{
    g_ptr_array_set_size(gate->probes, 0);
    g_clear_pointer(&gate->reference_probe, address_probe_close);
}

static gboolean open_probes(gate_t *gate, GError **error)
{
    gate->interface_index = if_nametoindex(gate->interface);
    if (!choose_mac(gate, error)) {
        return FALSE;
    }
    for (guint i = 0; i < gate->addresses->len; i++) {
        const interface_address_t *address = g_ptr_array_index(gate->addresses, i);
        address_probe_t *probe = address_probe_open(gate->interface, address->address, gate->mac, error);

        if (probe == NULL) {
            return FALSE;
        }
        g_ptr_array_add(gate->probes, probe);
    }
    if (gate->reference != NULL) {
        gate->reference_probe = address_probe_open(gate->interface, gate->reference, gate->mac, error);
        return gate->reference_probe != NULL;
    }
    return TRUE;
}

/* FALSE: there is no interface of that name now, or none that can be asked on. */
static gboolean follow_interface(gate_t *gate)
{
    g_autoptr(GError) error = NULL;
    guint index = if_nametoindex(gate->interface);

    if (index == gate->interface_index && index != 0) {
        return TRUE;
    }
    close_probes(gate);
    gate->interface_index = 0;
    if (index == 0) {
        return FALSE;
    }
    if (!interface_up_silent(gate->interface, &error) || !open_probes(gate, &error)) {
        say(gate, "%s", error->message);
        close_probes(gate);
        gate->interface_index = 0;
        return FALSE;
    }
    return TRUE;
}

static gboolean ask_all(gate_t *gate)
{
    gboolean asked = gate->probes->len == gate->addresses->len;

    for (guint i = 0; i < gate->probes->len; i++) {
        asked = address_probe_ask(g_ptr_array_index(gate->probes, i), NULL) && asked;
    }
    if (gate->reference_probe != NULL) {
        asked = address_probe_ask(gate->reference_probe, NULL) && asked;
    }
    return asked;
}

static void hear_reference(gate_t *gate)
{
    /* That we hear it says nothing of whether our questions arrive. */
    if (gate->reference_probe != NULL && address_probe_hear(gate->reference_probe, NULL, NULL) == NEIGHBOUR_ANSWERS) {
        gate->rounds_without_reference = 0;
    }
}

/* While the address is down here, nobody but another machine answers for it. */
static gboolean is_own_answer(const gate_t *gate, guint i, const char *mac)
{
    const interface_address_t *address = g_ptr_array_index(gate->addresses, i);

    return address->parsed.family == AF_INET && interface_has_address(gate->interface, address)
           && interface_another_answers(gate->interface, mac);
}

/* What has arrived about the addresses; the stronger of it and what was known. */
static round_t hear_all(gate_t *gate, round_t known)
{
    static const round_t rounds[] = { [NEIGHBOUR_NOTHING] = ROUND_SILENT, [NEIGHBOUR_ASKS] = ROUND_ASKED_BY_OTHER,
                                      [NEIGHBOUR_HAS] = ROUND_IN_USE, [NEIGHBOUR_ANSWERS] = ROUND_IN_USE };

    for (guint i = 0; i < gate->probes->len; i++) {
        char mac[NEIGHBOUR_MAC_TEXT_BYTES] = "";
        gboolean lost = FALSE;
        round_t heard = rounds[address_probe_hear(g_ptr_array_index(gate->probes, i), mac, &lost)];

        if (heard != ROUND_SILENT && is_own_answer(gate, i, mac)) {
            heard = ROUND_SILENT;
        }
        if (heard == ROUND_SILENT && lost) {
            heard = ROUND_NOT_ASKED;
        }
        if (heard > known) {
            known = heard;
            g_strlcpy(gate->holder, mac, sizeof gate->holder);
        }
    }
    hear_reference(gate);
    return known;
}

/* Until the round is over, whatever arrives. */
static round_t listen_until(gate_t *gate, gint64 end_ms, round_t known)
{
    g_autofree struct pollfd *fds = g_new0(struct pollfd, gate->probes->len + 1);
    nfds_t count = 0;

    for (; count < gate->probes->len; count++) {
        fds[count] = (struct pollfd) { .fd = address_probe_fd(g_ptr_array_index(gate->probes, count)), .events = POLLIN };
    }
    if (gate->reference_probe != NULL) {
        fds[count++] = (struct pollfd) { .fd = address_probe_fd(gate->reference_probe), .events = POLLIN };
    }
    for (gint64 left_ms = end_ms - clock_ms(); left_ms > 0; left_ms = end_ms - clock_ms()) {
        if (poll(fds, count, (int) left_ms) < 0) {
            break;
        }
        known = hear_all(gate, known);
    }
    return hear_all(gate, known);
}

/* Asks once, and listens for the length of a round. */
static round_t run_round(gate_t *gate)
{
    gint64 end_ms = clock_ms() + ROUND_MS;
    gboolean can_ask = follow_interface(gate);
    gboolean carrier = interface_has_carrier(gate->interface);
    gboolean asked = can_ask && carrier && ask_all(gate);
    round_t round = ROUND_SILENT;

    gate->rounds_without_reference++;
    round = listen_until(gate, end_ms, ROUND_SILENT);
    if (round == ROUND_IN_USE) {
        return round;
    }
    if (!carrier || !interface_has_carrier(gate->interface)) {
        return ROUND_NO_CARRIER;
    }
    if (!asked) {
        return ROUND_NOT_ASKED;
    }
    if (gate->reference != NULL && gate->rounds_without_reference >= REFERENCE_ROUNDS) {
        return ROUND_NO_REFERENCE;
    }
    return round;
}

static gboolean take_off_what_else_brought_up(gate_t *gate, GError **error)
{
    say(gate, "taken off this machine. Something else brought it up: take it out of the network's own configuration, so "
              "that this gate alone does it");
    return take_off_everywhere(gate, error);
}

static gboolean is_anywhere(const gate_t *gate)
{
    g_autofree char *interface = NULL;

    return count_present(gate) > 0 || find_elsewhere(gate, &interface) != NULL;
}

/* A network's own configuration may bring the address up at any time. */
static void look_at_home(gate_t *gate, round_t round)
{
    g_autoptr(GError) error = NULL;

    if (round == ROUND_IN_USE && is_anywhere(gate) && !take_off_what_else_brought_up(gate, &error)) {
        say(gate, "%s", error->message);
    }
}

static void wait_until_free(gate_t *gate)
{
    gboolean is_free = FALSE;
    quiet_t quiet;

    quiet_init(&quiet, gate->quiet_ms, ROUND_MAX_MS);
    gate->rounds_without_reference = REFERENCE_ROUNDS; /* it has to be heard first */
    while (!is_free) {
        gint64 began_ms = clock_ms();
        round_t round = run_round(gate);

        say_round(gate, round);
        look_at_home(gate, round);
        is_free = quiet_step(&quiet, began_ms, clock_ms(), round);
    }
    say(gate, "free: nobody answered for %" G_GINT64_FORMAT " s", gate->quiet_ms / 1000);
}

/* A machine that waits for the address is answered by this one, if it has it. */
static gboolean says_nobody_has_it(round_t round)
{
    return round == ROUND_SILENT || round == ROUND_ASKED_BY_OTHER;
}

/* Until a few rounds in a row have asked and found nobody, another machine shows itself, or it is told to end. The address is up
 * meanwhile: it may be serving. TRUE: another machine has it. */
static gboolean look_for_another(gate_t *gate)
{
    guint rounds = 0;

    gate->rounds_without_reference = 0;
    while (rounds < LOOK_ROUNDS && end_signal == 0) {
        round_t round = run_round(gate);

        if (round == ROUND_IN_USE) {
            say(gate, "in use by another machine (%s)", gate->holder);
            return TRUE;
        }
        rounds = says_nobody_has_it(round) ? rounds + 1 : 0;
        if (rounds == 0) {
            say_round(gate, round);
        }
    }
    return FALSE;
}

static gboolean put_on(gate_t *gate, GError **error)
{
    char mac[NEIGHBOUR_MAC_TEXT_BYTES];

    if (!interface_read_mac(gate->interface, mac, error)) {
        return FALSE;
    }
    interface_end_silence(gate->interface);
    for (guint i = 0; i < gate->addresses->len; i++) {
        const interface_address_t *address = g_ptr_array_index(gate->addresses, i);
        g_autoptr(GError) announce_error = NULL;
        announce_frames_t frames;

        if (!interface_add_address(gate->interface, address, error)) {
            return FALSE;
        }
        if (announce_build(mac, address->address, &frames)
            && !announce_send(&frames, gate->interface, &announce_error)) {
            say(gate, "%s", announce_error->message);
        }
    }
    return TRUE;
}

static void on_end(int signal_number)
{
    end_signal = signal_number;
}

/* From before the address is up: who ends an "open" that has not ended runs no "close". */
static void end_signals_catch(gboolean caught)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    const struct sigaction action = { .sa_handler = caught ? on_end : SIG_DFL, .sa_flags = SA_RESTART };

    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
}

/* FALSE: it was, and the address is down again. */
static gboolean is_not_told_to_end(gate_t *gate, GError **error)
{
    if (end_signal == 0) {
        return TRUE;
    }
    if (take_off(gate, error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "told to end before it was known that no other machine has the address: it is taken off again");
    }
    return FALSE;
}

/* --- what can be asked of it ------------------------------------------------------- */

/* TRUE if they are all up and nobody else has one, as on a server that serves. Something else brought them up. */
static gboolean is_open_already(gate_t *gate, GError **error)
{
    if (!is_anywhere(gate)) {
        return FALSE;
    }
    if (look_for_another(gate)) {
        take_off_what_else_brought_up(gate, error);
        return FALSE;
    }
    if (!is_nowhere_else(gate, error) || count_present(gate) < gate->addresses->len) {
        return FALSE;
    }
    say(gate, "up already, and nobody else has it");
    return TRUE;
}

static gboolean run_open(gate_t *gate, GError **error)
{
    if (!interface_up_silent(gate->interface, error) || !open_probes(gate, error)) {
        return FALSE;
    }
    if (is_open_already(gate, error)) {
        return TRUE;
    }
    while (error == NULL || *error == NULL) {
        wait_until_free(gate);
        if (!is_nowhere_else(gate, error)) {
            return FALSE;
        }
        end_signals_catch(TRUE);
        if (!put_on(gate, error)) {
            take_off(gate, NULL);
            return FALSE;
        }
        say(gate, "up");
        /* Another may have taken it at the same moment. */
        if (!look_for_another(gate)) {
            return is_not_told_to_end(gate, error);
        }
        say(gate, "taken off this machine again");
        gate->has_said = FALSE;
        if (!take_off(gate, error) || !is_not_told_to_end(gate, error)) {
            return FALSE;
        }
        end_signals_catch(FALSE);
    }
    return FALSE;
}

static gboolean run_close(gate_t *gate, GError **error)
{
    gboolean gone = take_off(gate, error) && is_nowhere_else(gate, error);

    if (gone) {
        say(gate, "down");
    }
    return gone;
}

static gboolean run_check(gate_t *gate, GError **error)
{
    if (!open_probes(gate, error) || !is_nowhere_else(gate, error)) {
        return FALSE;
    }
    for (guint i = 0; i < LOOK_ROUNDS; i++) {
        round_t round = run_round(gate);

        if (!says_nobody_has_it(round)) {
            g_autofree char *found = round_describe(gate, round);

            g_set_error_literal(error, UNDERSTUDY_ERROR,
                                round == ROUND_IN_USE ? UNDERSTUDY_ERROR_BUSY : UNDERSTUDY_ERROR_FAILED, found);
            return FALSE;
        }
    }
    say(gate, "nobody else answered within %d s", LOOK_ROUNDS * ROUND_MS / 1000);
    return TRUE;
}

static const struct {
    const char *name;
    gboolean (*run)(gate_t *gate, GError **error);
} actions[] = {
    { "open", run_open },
    { "close", run_close },
    { "check", run_check },
};

/* --- the command line ------------------------------------------------------------------ */

static gboolean read_options(gate_t *gate, GError **error)
{
    guint64 quiet_ms = 0;

    if (gate->interface == NULL || gate->address_texts == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "give --interface and --address");
        return FALSE;
    }
    if (!duration_parse(gate->quiet_text, &quiet_ms)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--quiet %s: write a duration, such as 180s",
                    gate->quiet_text);
        return FALSE;
    }
    gate->quiet_ms = (gint64) quiet_ms;
    for (char **text = gate->address_texts; *text != NULL; text++) {
        interface_address_t *address = interface_address_parse(*text, error);

        if (address == NULL) {
            return FALSE;
        }
        g_ptr_array_add(gate->addresses, address);
    }
    return TRUE;
}

static gboolean parse_words(int *argc, char ***argv, gate_t *gate, gboolean *version, GError **error)
{
    const GOptionEntry entries[] = {
        { "interface", 'i', 0, G_OPTION_ARG_STRING, &gate->interface, "Interface of the service network", "NAME" },
        { "address", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &gate->address_texts,
          "Service address with its prefix length; may be given again", "ADDRESS/PREFIXLEN" },
        { "quiet", 'q', 0, G_OPTION_ARG_STRING, &gate->quiet_text,
          "How long nobody may answer before the address is taken (" DEFAULT_GATE_QUIET ")", "DURATION" },
        { "reference", 'r', 0, G_OPTION_ARG_STRING, &gate->reference,
          "An address on the service network that always answers, such as the router's; while it is silent, the "
          "silence of others says nothing", "ADDRESS" },
        { "ask-from", 0, 0, G_OPTION_ARG_STRING, &gate->ask_from,
          "MAC address to ask from (the interface's, made local)", "MAC" },
        { "version", 0, 0, G_OPTION_ARG_NONE, version, "Print the version", NULL },
        { .long_name = NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("open | close | check");

    g_option_context_set_summary(context,
                                 "open: waits until nobody has the service address, then brings it up.\n"
                                 "close: takes it down. check: tells whether another machine answers for it.");
    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, argc, argv, error);
}

static gboolean run_action(gate_t *gate, const char *name, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (g_strcmp0(name, actions[i].name) == 0) {
            return read_options(gate, error) && actions[i].run(gate, error);
        }
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "say one of: open, close, check");
    return FALSE;
}

static void gate_clear(gate_t *gate)
{
    g_ptr_array_unref(gate->probes);
    g_ptr_array_unref(gate->addresses);
    address_probe_close(gate->reference_probe);
    g_strfreev(gate->address_texts);
    g_free(gate->interface);
    g_free(gate->quiet_text);
    g_free(gate->reference);
    g_free(gate->ask_from);
}

static int exit_code_of(const GError *error)
{
    if (error == NULL) {
        return GATE_EXIT_OK;
    }
    return error->domain == G_OPTION_ERROR || g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG)
               ? GATE_EXIT_USAGE
               : GATE_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    gate_t gate = { .quiet_text = g_strdup(DEFAULT_GATE_QUIET) };
    g_autoptr(GError) error = NULL;
    gboolean version = FALSE;

    setlocale(LC_ALL, "");
    gate.addresses = g_ptr_array_new_with_free_func((GDestroyNotify) interface_address_free);
    gate.probes = g_ptr_array_new_with_free_func((GDestroyNotify) address_probe_close);
    if (parse_words(&argc, &argv, &gate, &version, &error)) {
        if (version) {
            printf("understudy-gate %s\n", PACKAGE_VERSION);
        } else {
            run_action(&gate, argc == 2 ? argv[1] : NULL, &error);
        }
    }
    if (error != NULL) {
        fprintf(stderr, "understudy-gate: %s\n", error->message);
    }
    gate_clear(&gate);
    if (error != NULL && end_signal != 0) {
        end_signals_catch(FALSE);
        raise(end_signal); /* so that whoever sent it sees that it was obeyed */
    }
    return exit_code_of(error);
}
