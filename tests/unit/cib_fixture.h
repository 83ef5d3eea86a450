/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_TESTS_CIB_FIXTURE_H
#define UNDERSTUDY_TESTS_CIB_FIXTURE_H

/* A small site: three hosts, images of db1 (runs on host2) and db2 (stopped). */
#define CIB_NODE(id, cpu, memory)                                                            \
    "<node id='" id "' uname='host" id "'><utilization id='u" id "'>"                        \
    "<nvpair id='u" id "c' name='cpu' value='" cpu "'/>"                                     \
    "<nvpair id='u" id "m' name='hv_memory' value='" memory "'/></utilization></node>"

#define CIB_IMAGE(server)                                                                    \
    "<primitive id='standby-" server "' class='ocf' provider='understudy' type='image'>"     \
    "<instance_attributes id='standby-" server "-params'>"                                   \
    "<nvpair id='standby-" server "-disks' name='disks' value='images/" server "'/>"         \
    "</instance_attributes><utilization id='standby-" server "-use'>"                        \
    "<nvpair id='standby-" server "-cpu' name='cpu' value='1'/>"                             \
    "<nvpair id='standby-" server "-mem' name='hv_memory' value='1024'/></utilization></primitive>"

#define CIB_TICKET(server)                                                                   \
    "<rsc_ticket id='ticket-standby-" server "' rsc='standby-" server "'"                    \
    " ticket='takeover-" server "' loss-policy='stop'/>"                                     \
    "<rsc_location id='reach-standby-" server "' rsc='standby-" server "'>"                  \
    "<rule id='reach-" server "-rule' score='100000'><expression id='reach-" server "-e'"    \
    " attribute='understudy-reach' operation='eq' value='1'/></rule></rsc_location>"

#define CIB_OP(server, host, task, rc, extra)                                                \
    "<lrm_rsc_op id='standby-" server "_" task "_0' operation_key='standby-" server "_" task "_0'" \
    " operation='" task "' crm-debug-origin='test' crm_feature_set='3.16.1'"                 \
    " transition-key='1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"                           \
    " transition-magic='0:" rc ";1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"                \
    " on_node='" host "' call-id='2' rc-code='" rc "' op-status='0' interval='0'"            \
    " last-rc-change='1700000000' exec-time='1' queue-time='0' " extra "/>"

#define CIB_HISTORY(server, ops)                                                             \
    "<lrm_resource id='standby-" server "' type='image' class='ocf' provider='understudy'>" ops "</lrm_resource>"

#define CIB_STATE(id, reach, attributes, history)                                            \
    "<node_state id='" id "' uname='host" id "' in_ccm='true' crmd='online' join='member'"   \
    " expected='member' crm-debug-origin='test'>"                                            \
    "<transient_attributes id='" id "'><instance_attributes id='status-" id "'>"             \
    "<nvpair id='status-" id "-reach' name='understudy-reach' value='" reach "'/>" attributes \
    "</instance_attributes></transient_attributes>"                                          \
    "<lrm id='" id "'><lrm_resources>" history "</lrm_resources></lrm></node_state>"

/* It has left in order: nothing of it is to be fenced, as of a node that has no state at all. */
#define CIB_DOWN(id)                                                                         \
    "<node_state id='" id "' uname='host" id "' in_ccm='false' crmd='offline' join='down'"   \
    " expected='down' crm-debug-origin='test'/>"

#define CIB_TEXT(quorum, resources, constraints, tickets, states)                            \
    "<cib crm_feature_set='3.16.1' validate-with='pacemaker-3.9' epoch='10' num_updates='0'" \
    " admin_epoch='0' have-quorum='" quorum "' dc-uuid='1'><configuration><crm_config>"      \
    "<cluster_property_set id='options'>"                                                    \
    "<nvpair id='o1' name='placement-strategy' value='balanced'/></cluster_property_set>"    \
    "</crm_config><nodes>" CIB_NODE("1", "4", "8192") CIB_NODE("2", "8", "16384")            \
    CIB_NODE("3", "2", "4096") "</nodes><resources>"                                         \
    "<primitive id='power' class='stonith' type='fence_dummy'/>" resources                   \
    "</resources><constraints>"                                                              \
    constraints "</constraints></configuration><status>" tickets states "</status></cib>"

#endif
